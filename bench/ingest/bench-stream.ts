import { join } from 'node:path'
import {
  type KafkaServer,
  removeTemporary,
  type Stack,
  startKafka,
  startStack,
  temporaryDirectory,
} from '@millrace/local-stack'
import { findLedgerFault, waitUntilSettled } from '@millrace/testing'
import { checkEvents, describeFaults } from '../chaos/check-events.js'
import { printTable, round, say } from '../lib/results.js'
import type { StreamKind } from '../lib/stream-kind.js'
import { type CopyLimit, measureCopyLimit } from './copy-limit.js'
import { type Phase, type PhaseFigures, Phases } from './phases.js'

export interface IngestPlan {
  seconds: number
  batchEvents: number
  connections: number
  consumers: number
  /** Consumers of the open loop. */
  latencyConsumers: number
  gateways: number
  preloadRows: number
  postgres: 'embedded' | 'system' | 'auto'
  /** Events a second of the open loops. */
  rates: number[]
  parts: ReadonlySet<string>
  /** The folder of V8's processor profiles. Default: none are made. */
  profile?: string | undefined
  /** The broker's log.flush.interval.messages. Default: the broker's, which leaves flushing to the operating system. */
  flushMessages?: string | undefined
  /** Options of Java for the broker. */
  brokerJava?: string[] | undefined
  /** Keep data and logs. */
  isKept: boolean
}

/** The measurements with one kind of stream. */
export type StreamFigures = Awaited<ReturnType<typeof benchStream>>

/** Everything on; only the limit of the tenant is above what is sent, so that it is counted but does not refuse. */
export const SERVICE_SETTINGS = { RATE_LIMIT_EVENTS_PER_SECOND: '100000000', RATE_LIMIT_BURST_EVENTS: '200000000' }

/** Starts a stack, runs every part of the plan and checks what was stored. */
export async function benchStream(kind: StreamKind, plan: IngestPlan) {
  const dataDir = temporaryDirectory('millrace-bench-')
  const broker = kind === 'kafka' ? await startBroker(plan) : undefined
  const stops = [async () => broker?.stop()]
  try {
    const stack = await startStack({
      dataDir,
      ports: 'free',
      say,
      instances: { 'stream-consumer': plan.consumers, 'ingest-gateway': plan.gateways },
      env: { ...SERVICE_SETTINGS, ...(broker && { STREAM_DRIVER: 'kafka', KAFKA_BROKERS: broker.brokers }) },
      postgresBinaries: plan.postgres,
      ...(plan.profile !== undefined && { nodeOptions: profiledBy(join(plan.profile, kind)) }),
    })
    stops.push(stack.stop)
    void stack.failed.then((error) => say(`FAULT ${error.message}`))
    return { kind, ...(await measure({ stack, broker, plan })) }
  } finally {
    for (const stop of stops.reverse()) await stop()
    if (!plan.isKept) removeTemporary(dataDir)
  }
}

function startBroker({ flushMessages, brokerJava }: IngestPlan): Promise<KafkaServer> {
  return startKafka({
    say,
    ...(flushMessages !== undefined && { settings: { 'log.flush.interval.messages': flushMessages } }),
    ...(brokerJava !== undefined && { javaOptions: brokerJava }),
  })
}

/** V8's processor profiles of gateway and consumers, to open in a browser's developer tools; they cost a few per cent. */
function profiledBy(folder: string): Record<string, string[]> {
  const options = ['--cpu-prof', `--cpu-prof-dir=${folder}`]
  return { 'ingest-gateway': options, 'stream-consumer': options }
}

/** A stack with its broker, if the stream is Kafka. */
interface Bench {
  stack: Stack
  broker: KafkaServer | undefined
  plan: IngestPlan
}

async function measure({ stack, broker, plan }: Bench) {
  const { batchEvents, connections, seconds, rates, parts } = plan
  const { postgres, streamRedis } = stack
  const versions = {
    postgresql: postgres && `${postgres.server.version} (${postgres.server.binaries})`,
    ...(broker ? { kafka: broker.version } : { redis: streamRedis?.server.version }),
  }
  say(`versions: ${JSON.stringify(versions)}`)
  const phases = new Phases(stack, { seed: Date.now() % 2 ** 31, others: broker ? [broker] : [] })
  const load = { batchEvents, connections }
  const figures: Record<string, PhaseFigures | PreloadFigures> = {}
  await phases.run('warm-up', { ...load, seconds: Math.min(10, seconds) })
  if (plan.preloadRows > 0) figures.preload = await preload(phases, load, plan.preloadRows)
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
    await keepConsumers(stack, plan.latencyConsumers)
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
  const faults = await check(stack, phases)
  return {
    versions,
    copy_before: copyBefore,
    copy_after: copyAfter,
    figures,
    faults,
    result: summarise(figures, { plan, before: copyBefore, after: copyAfter, faults }),
  }
}

/** Two consumers are for the highest throughput on two cores; what one can do it does with fewer wake-ups, and `npm start` runs one. */
async function keepConsumers(stack: Stack, count: number): Promise<void> {
  const consumers = stack.services.filter(({ instance }) => instance.entry.name === 'stream-consumer')
  for (const consumer of consumers.slice(count)) await consumer.stop()
}

interface PreloadFigures extends PhaseFigures {
  rows: number
}

/** Loads rows through the HTTP API, so that the journal, the deduplication window and the rollups grow with the table. */
async function preload(phases: Phases, load: Omit<Phase, 'seconds'>, rowsMin: number): Promise<PreloadFigures> {
  for (let rows = 0; ; ) {
    const figures = await phases.run(`preload, ${rows} rows so far`, { ...load, seconds: 30 })
    rows += figures.committed
    if (rows >= rowsMin) return { ...figures, name: 'preload, its last half minute', rows }
  }
}

/** The ledger balances, its sum is the table's, and every acknowledged event is there once and in order. */
async function check(stack: Stack, phases: Phases): Promise<string[]> {
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

interface Measured {
  plan: IngestPlan
  before: CopyLimit
  after: CopyLimit
  faults: string[]
}

function summarise(figures: Record<string, PhaseFigures>, { plan, before, after, faults }: Measured) {
  const { sustained, single } = figures
  const { rates, preloadRows } = plan
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
    ...latencies(figures, rates),
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

/** Of the time until an event is visible, at each rate of the open loop: for example `p99_at_20k_ms`. */
export function latencies(
  figures: Record<string, PhaseFigures>,
  rates: readonly number[],
): Record<string, number | undefined> {
  const named = rates.flatMap((rate) => {
    const at = figures[`at_${rate}`]
    if (!at) return []
    return (['p50_ms', 'p95_ms', 'p99_ms'] as const).map((key) => [
      `${key.slice(0, 3)}_at_${rate / 1000}k_ms`,
      at.visible?.[key],
    ])
  })
  return Object.fromEntries(named)
}
