// npm run bench -- ingest: HTTP to committed rows, everything switched on; see README.md beside this file.
import { parseArgs } from 'node:util'
import { removeTemporary, stackPostgresSettings, startStack, temporaryDirectory } from '@millrace/local-stack'
import { findLedgerFault, waitUntilSettled } from '@millrace/testing'
import { checkEvents, describeFaults } from '../chaos/check-events.js'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { type CopyLimit, measureCopyLimit } from './copy-limit.js'
import { type Phase, type PhaseFigures, Phases } from './phases.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    consumers: { type: 'string', default: '2' },
    'latency-consumers': { type: 'string', default: '1' },
    gateways: { type: 'string', default: '1' },
    batch: { type: 'string', default: '100' },
    connections: { type: 'string', default: '96' },
    'preload-rows': { type: 'string', default: '0' },
    postgres: { type: 'string', default: 'auto' },
    rates: { type: 'string', default: '20000,50000' },
    parts: { type: 'string', default: 'sustained,single,latency' },
    profile: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)
const batchEvents = Number(values.batch)
const connections = Number(values.connections)
const preloadRows = Number(values['preload-rows'])
const parts = new Set(values.parts.split(','))
const rates = values.rates.split(',').map(Number)

/** Everything on; only the limit of the tenant is above what is sent, so that it is counted but does not refuse. */
const SETTINGS = { RATE_LIMIT_EVENTS_PER_SECOND: '100000000', RATE_LIMIT_BURST_EVENTS: '200000000' }

const dataDir = temporaryDirectory('millrace-bench-')
const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const stack = await startStack({
  dataDir,
  ports: 'free',
  say,
  instances: { 'stream-consumer': Number(values.consumers), 'ingest-gateway': Number(values.gateways) },
  env: SETTINGS,
  postgresBinaries: values.postgres as 'embedded' | 'system' | 'auto',
  ...(values.profile !== undefined && { nodeOptions: profiledBy(values.profile) }),
})
void stack.failed.then((error) => say(`FAULT ${error.message}`))
let isSound = false
try {
  isSound = await bench()
} finally {
  await stack.stop()
  if (!values.keep) removeTemporary(dataDir)
}
process.exitCode = isSound ? 0 : 1

/** V8's processor profiles of gateway and consumers, to open in a browser's developer tools; they cost a few per cent. */
function profiledBy(folder: string): Record<string, string[]> {
  const options = ['--cpu-prof', `--cpu-prof-dir=${folder}`]
  return { 'ingest-gateway': options, 'stream-consumer': options }
}

async function bench(): Promise<boolean> {
  const { postgres, streamRedis } = stack
  const versions = {
    postgresql: postgres && `${postgres.server.version} (${postgres.server.binaries})`,
    redis: streamRedis?.server.version,
  }
  const settings = {
    batch: batchEvents,
    connections,
    consumers: Number(values.consumers),
    latency_consumers: Number(values['latency-consumers']),
    gateways: Number(values.gateways),
    preload_rows: preloadRows,
    event_bytes: 298,
    services: SETTINGS,
    postgresql_settings: stackPostgresSettings(),
    ...versions,
  }
  say(`settings: ${JSON.stringify(settings)}`)
  const phases = new Phases(stack, { seed: Date.now() % 2 ** 31 })
  const load = { batchEvents, connections }
  const figures: Record<string, PhaseFigures | PreloadFigures> = {}
  await phases.run('warm-up', { ...load, seconds: Math.min(10, seconds) })
  if (preloadRows > 0) figures.preload = await preload(phases, load)
  const copySeconds = Math.min(5, seconds / 6)
  const copyBefore = await measureCopyLimit({ databaseUrl: stack.databaseUrl, seconds: copySeconds })
  say(`raw binary COPY before: ${JSON.stringify(copyBefore)}`)
  if (parts.has('sustained')) figures.sustained = await phases.run('sustained', { ...load, seconds, probeEveryMs: 100 })
  const copyAfter = await measureCopyLimit({ databaseUrl: stack.databaseUrl, seconds: copySeconds })
  say(`raw binary COPY after: ${JSON.stringify(copyAfter)}`)
  if (parts.has('single'))
    figures.single = await phases.run('single events', {
      batchEvents: 1,
      connections,
      seconds: Math.min(20, seconds),
      probeEveryMs: 100,
    })
  if (parts.has('latency')) {
    await keepConsumers(Number(values['latency-consumers']))
    await phases.run('partitions change hands', { ...load, seconds: 5, eventsPerSecond: rates[0] })
    for (const rate of rates) {
      const name = `open loop, ${rate} events/s`
      figures[`at_${rate}`] = await phases.run(name, { ...load, seconds, eventsPerSecond: rate, probeEveryMs: 50 })
    }
  }
  for (const figure of Object.values(figures)) {
    say(`\n${figure.name}`)
    printTable(figure.processes)
  }
  const faults = await check(phases)
  writeResult('ingest', {
    machine,
    settings,
    copy_before: copyBefore,
    copy_after: copyAfter,
    figures,
    faults,
    result: summary(figures, { before: copyBefore, after: copyAfter }, faults),
  })
  return faults.length === 0
}

/** Two consumers are for the highest throughput on two cores; what one can do it does with fewer wake-ups, and `npm start` runs one. */
async function keepConsumers(count: number): Promise<void> {
  const consumers = stack.services.filter(({ instance }) => instance.entry.name === 'stream-consumer')
  for (const consumer of consumers.slice(count)) await consumer.stop()
}

interface PreloadFigures extends PhaseFigures {
  rows: number
}

/** Loads rows through the HTTP API, so that the journal, the deduplication window and the rollups grow with the table. */
async function preload(phases: Phases, load: Omit<Phase, 'seconds'>): Promise<PreloadFigures> {
  for (let rows = 0; ; ) {
    const figures = await phases.run(`preload, ${rows} rows so far`, { ...load, seconds: 30 })
    rows += figures.committed
    if (rows >= preloadRows) return { ...figures, name: 'preload, its last half minute', rows }
  }
}

/** The ledger balances, its sum is the table's, and every acknowledged event is there once and in order. */
async function check(phases: Phases): Promise<string[]> {
  await phases.close()
  const ledger = await waitUntilSettled({ gatewayUrl: stack.url, readKey: stack.adminKey }, phases.acknowledged, 60_000)
  const events = await checkEvents(stack.databaseUrl, phases.sent)
  say(`ledger: ${JSON.stringify(ledger)}`)
  say(`check: ${JSON.stringify(events)}`)
  const faults = [await findLedgerFault(stack.databaseUrl, ledger), describeFaults(events)].filter(
    (fault) => fault !== undefined,
  )
  for (const fault of faults) say(`FAULT ${fault}`)
  return faults
}

interface CopyLimits {
  before: CopyLimit
  after: CopyLimit
}

function summary(figures: Record<string, PhaseFigures>, { before, after }: CopyLimits, faults: string[]) {
  const { sustained, single } = figures
  const raw = (before.rows_per_s + after.rows_per_s) / 2
  const rawSorted = (before.sorted_rows_per_s + after.sorted_rows_per_s) / 2
  const hardest = figures[`at_${rates.at(-1)}`]
  return {
    events_per_s: sustained?.events_per_s,
    ratio_to_copy: sustained && round((sustained.events_per_s ?? 0) / raw, 3),
    ratio_to_sorted_copy: sustained && round((sustained.events_per_s ?? 0) / rawSorted, 3),
    copy_rows_per_s: round(raw),
    copy_sorted_rows_per_s: round(rawSorted),
    p50_ms: hardest?.visible?.p50_ms,
    p99_ms: hardest?.visible?.p99_ms,
    ...Object.fromEntries(
      rates.flatMap((rate) => {
        const at = figures[`at_${rate}`]
        return at
          ? (['p50_ms', 'p95_ms', 'p99_ms'] as const).map((key) => [
              `${key.slice(0, 3)}_at_${rate / 1000}k_ms`,
              at.visible?.[key],
            ])
          : []
      }),
    ),
    saturated_p50_ms: sustained?.visible?.p50_ms,
    saturated_p99_ms: sustained?.visible?.p99_ms,
    single_requests_per_s: single?.events_per_s,
    cpu_us_per_event: sustained?.cpu_us_per_event,
    load_cpu_us_per_event: sustained?.load_cpu_us_per_event,
    cpu_by_process_us_per_event:
      sustained && Object.fromEntries(sustained.processes.map((one) => [one.process, one.cpu_us_per_event])),
    rss_mib_by_process: sustained && Object.fromEntries(sustained.processes.map((one) => [one.process, one.rss_mib])),
    foreign_cores: sustained?.foreign_cores,
    stored_rows: preloadRows || undefined,
    faults: faults.length,
  }
}
