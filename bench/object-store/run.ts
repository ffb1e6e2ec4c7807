// npm run bench -- object-store: what a stored object costs in a folder and on S3, beside the least code that does the same; see README.md beside this file.
import { parseArgs } from 'node:util'
import { removeTemporary, temporaryDirectory } from '@millrace/local-stack'
import { findTestS3, startTestS3 } from '@millrace/testing'
import { runJsonProcess } from '../lib/json-process.js'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import type { Target } from './contestant.js'
import { CONTESTANTS } from './contestants.js'
import type { MeasureReport, MeasureTask, Mode } from './measure-process.js'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } })
const ROUNDS = Number(values.rounds)
const KIB = 1024
const MIB = 1024 ** 2
const GIB = 1024 ** 3

interface Scenario {
  readonly mode: Mode
  readonly bytes: number
  readonly objects: number
}

const SCENARIOS: readonly Scenario[] = [
  { mode: 'put', bytes: 64 * KIB, objects: 300 },
  { mode: 'put 8', bytes: 64 * KIB, objects: 1000 },
  { mode: 'upload', bytes: 128 * MIB, objects: 4 },
  { mode: 'download', bytes: 128 * MIB, objects: 8 },
]
/** The memory of the second one must not be larger than that of the first one. */
const LONG_UPLOADS = [128 * MIB, GIB]
/** What a body of 1 GiB may add to the memory of the process that stores it; 64 MiB of it are parts of the upload. */
const UPLOAD_RSS_MIB_MAX = 192

interface Row {
  store: string
  what: string
  who: string
  objects_s: number | undefined
  mib_s: number | undefined
  /** Rate as a multiple of that of the raw contestant in the same run. */
  of_raw: number | undefined
  cpu_us: number | undefined
  p50_ms: number | undefined
  p99_ms: number | undefined
}

interface Memory {
  store: string
  who: string
  upload_mib: number
  added_rss_mib: number | undefined
}

const measure = (task: MeasureTask) =>
  runJsonProcess<MeasureReport>(new URL('./measure-process.js', import.meta.url), task)

const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const program = findTestS3()
if (typeof program === 'string') say(`S3 is left out: ${program}`)
const server = typeof program === 'string' ? undefined : await startTestS3(program)
const directory = temporaryDirectory('millrace-bench-objects-')
const rows: Row[] = []
const memory: Memory[] = []
try {
  const targets: [string, Target][] = [['file', { url: `file:${directory}` }]]
  if (server) targets.push(['s3', { url: server.url, credentials: server.credentials }])
  for (const [store, target] of targets) {
    for (const scenario of SCENARIOS) rows.push(...(await compare(store, target, scenario)))
    for (const bytes of LONG_UPLOADS)
      for (const who of Object.keys(CONTESTANTS)) memory.push(await measureMemory({ store, target, who, bytes }))
  }
} finally {
  await server?.stop()
  removeTemporary(directory)
}
printTable(rows)
say('')
printTable(memory)
const tooMuch = memory.filter(({ who, added_rss_mib = 0 }) => who === 'driver' && added_rss_mib > UPLOAD_RSS_MIB_MAX)
for (const { store, added_rss_mib } of tooMuch)
  say(`FAULT: a long upload (${store}) took ${added_rss_mib} MiB, more than ${UPLOAD_RSS_MIB_MAX}`)
const brief = rows
  .filter(({ who }) => who === 'driver')
  .map(({ store, what, objects_s, mib_s, of_raw }) => ({
    store,
    what,
    objects_per_s: objects_s,
    mib_per_s: mib_s,
    ratio_to_raw: of_raw,
  }))
writeResult('object-store', { machine, rows, memory, result: { rows: brief, memory } })
process.exitCode = tooMuch.length === 0 ? 0 : 1

/** The contestants take turns within each round, so that a change of the machine's load meets both. */
async function compare(store: string, target: Target, { mode, bytes, objects }: Scenario): Promise<Row[]> {
  const reports = new Map<string, MeasureReport[]>()
  for (let turn = 0; turn < ROUNDS; turn++)
    for (const contestant of Object.keys(CONTESTANTS)) {
      const report = await measure({ ...target, contestant, mode, bytes, objects })
      reports.set(contestant, [...(reports.get(contestant) ?? []), report])
    }
  const rate = (who: string) => median((reports.get(who) ?? []).map((report) => report.objects / report.seconds))
  const what = `${mode}, ${bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`}`
  return [...reports].map(([who, own]) => ({
    store,
    what,
    who,
    objects_s: round(rate(who), 1),
    mib_s: round((rate(who) * bytes) / MIB),
    of_raw: round(rate(who) / rate('raw'), 2),
    cpu_us: round(median(own.map((report) => (report.cpuSeconds * 1e6) / report.objects))),
    p50_ms: round(median(own.map(({ p50Ms }) => p50Ms)), 1),
    p99_ms: round(median(own.map(({ p99Ms }) => p99Ms)), 1),
  }))
}

async function measureMemory({
  store,
  target,
  who,
  bytes,
}: {
  readonly store: string
  readonly target: Target
  readonly who: string
  readonly bytes: number
}): Promise<Memory> {
  const report = await measure({ ...target, contestant: who, mode: 'long upload', bytes, objects: 1 })
  return { store, who, upload_mib: bytes / MIB, added_rss_mib: round(report.peakRssMib - report.startRssMib) }
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN
}
