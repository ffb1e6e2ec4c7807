// npm run bench -- kafka-clients: what a frame costs through the Kafka client of the driver and through others; see README.md beside this file.
import { parseArgs } from 'node:util'
import { findKafka, startKafka } from '@millrace/local-stack'
import { runJsonProcess } from '../lib/json-process.js'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { PARTITIONS, type Target } from './contestant.js'
import { CONTESTANTS } from './contestants.js'
import type { MeasureReport, MeasureTask, Mode } from './measure-process.js'
import { installPlatformatic, PLATFORMATIC_VERSION } from './platformatic.js'
import { RawLimit } from './raw-limit.js'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '4' }, rounds: { type: 'string', default: '5' } },
})
const SECONDS = Number(values.seconds)
const ROUNDS = Number(values.rounds)
const FRAME_BYTES = [30_000, 4_000]
const MODES: readonly Mode[] = ['produce 1', 'produce 16', 'fetch']
/** Bytes that Kafka's own tools write and read in one measurement. */
const RAW_BYTES = 400_000_000

const EMPTY = {
  frames_s: undefined,
  of_raw: undefined,
  cpu_us: undefined,
  p50_ms: undefined,
  p99_ms: undefined,
  rss_mib: undefined,
}

const program = findKafka(['.cache'], say)
if (typeof program === 'string') throw new Error(program)
installPlatformatic()
const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
say(
  `clients: ${Object.keys(CONTESTANTS).join(', ')} (@platformatic/kafka ${PLATFORMATIC_VERSION}), median of ${ROUNDS} rounds`,
)
const server = await startKafka({ program })
try {
  const raw = new RawLimit(program, server)
  const rows: Row[] = []
  for (const frameBytes of FRAME_BYTES) rows.push(...(await measureSize(frameBytes, raw)))
  printTable(rows)
  const result = rows.map(({ what, client, of_raw, cpu_us }) => ({ what, client, of_raw, cpu_us }))
  writeResult('kafka-clients', { machine, rows, result: { rows: result } })
} finally {
  await server.stop()
}

interface Row {
  what: string
  client: string
  frames_s: number | undefined
  /** Share of the rate of Kafka's own tools. */
  of_raw: number | undefined
  cpu_us: number | undefined
  p50_ms: number | undefined
  p99_ms: number | undefined
  rss_mib: number | undefined
}

/** All modes and clients, in turn within each round, so that a change of the machine's load meets all of them. */
async function measureSize(frameBytes: number, raw: RawLimit): Promise<Row[]> {
  const target: Target = { broker: server.brokers, topic: `frames-${frameBytes}` }
  await server.tool(
    'kafka-topics',
    ...['--create', '--topic', target.topic],
    ...['--partitions', `${PARTITIONS}`, '--replication-factor', '1'],
  )
  const reports = new Map<string, MeasureReport[]>()
  const rawRates: Record<'produce' | 'fetch', number[]> = { produce: [], fetch: [] }
  const rawFrames = Math.round(RAW_BYTES / frameBytes)
  for (let round = 0; round < ROUNDS; round++) {
    rawRates.produce.push(await raw.produce(target, frameBytes, rawFrames))
    for (const mode of MODES)
      for (const client of Object.keys(CONTESTANTS)) {
        const task: MeasureTask = { ...target, client, mode, frameBytes, seconds: SECONDS }
        const report = await runJsonProcess<MeasureReport>(new URL('./measure-process.js', import.meta.url), task)
        const key = `${mode} ${client}`
        reports.set(key, [...(reports.get(key) ?? []), report])
      }
    rawRates.fetch.push(await raw.fetch(target, rawFrames))
  }
  return MODES.flatMap((mode) => {
    const limit = median(mode === 'fetch' ? rawRates.fetch : rawRates.produce)
    const what = `${mode}, ${frameBytes} bytes`
    const own = Object.keys(CONTESTANTS).map((client) =>
      toRow({ what, client, limit }, reports.get(`${mode} ${client}`) ?? []),
    )
    return mode === 'produce 1'
      ? own
      : [{ ...EMPTY, what, client: 'own tools of Kafka', frames_s: round(limit), of_raw: 1 }, ...own]
  })
}

function toRow(
  { what, client, limit }: { what: string; client: string; limit: number },
  reports: readonly MeasureReport[],
): Row {
  const rate = median(reports.map(({ frames, seconds }) => frames / seconds))
  return {
    what,
    client,
    frames_s: round(rate),
    of_raw: round(rate / limit, 2),
    cpu_us: round(median(reports.map(({ cpuSeconds, frames }) => (cpuSeconds * 1e6) / frames)), 1),
    p50_ms: round(median(reports.map(({ p50Ms }) => p50Ms)), 2),
    p99_ms: round(median(reports.map(({ p99Ms }) => p99Ms)), 2),
    rss_mib: round(median(reports.map(({ rssMib }) => rssMib))),
  }
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN
}
