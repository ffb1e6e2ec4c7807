// npm run bench -- ingest: HTTP to committed rows, everything switched on; see README.md beside this file.
import { parseArgs } from 'node:util'
import { stackPostgresSettings } from '@millrace/local-stack'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { parseStreamKind, type StreamKind } from '../lib/stream-kind.js'
import { benchStream, type IngestPlan, latencies, SERVICE_SETTINGS, type StreamFigures } from './bench-stream.js'

const { values } = parseArgs({
  options: {
    stream: { type: 'string', default: 'redis' },
    'flush-messages': { type: 'string' },
    'broker-java': { type: 'string' },
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
const plan: IngestPlan = {
  seconds: Number(values.seconds),
  batchEvents: Number(values.batch),
  connections: Number(values.connections),
  consumers: Number(values.consumers),
  latencyConsumers: Number(values['latency-consumers']),
  gateways: Number(values.gateways),
  preloadRows: Number(values['preload-rows']),
  postgres: values.postgres as IngestPlan['postgres'],
  rates: values.rates.split(',').map(Number),
  parts: new Set(values.parts.split(',')),
  profile: values.profile,
  flushMessages: values['flush-messages'],
  brokerJava: values['broker-java']?.split(' '),
  isKept: values.keep,
}

const machine = describeMachine()
const settings = {
  stream: values.stream,
  batch: plan.batchEvents,
  connections: plan.connections,
  consumers: plan.consumers,
  latency_consumers: plan.latencyConsumers,
  gateways: plan.gateways,
  preload_rows: plan.preloadRows,
  event_bytes: 298,
  services: SERVICE_SETTINGS,
  postgresql_settings: stackPostgresSettings(),
  ...(plan.brokerJava && { broker_java: plan.brokerJava }),
  ...(plan.flushMessages !== undefined && { 'log.flush.interval.messages': plan.flushMessages }),
}
say(`machine: ${JSON.stringify(machine)}`)
say(`settings: ${JSON.stringify(settings)}`)

// Kafka is measured beside Redis, since figures of different runs on a virtual machine cannot be compared.
const kinds: readonly StreamKind[] = parseStreamKind(values.stream) === 'kafka' ? ['redis', 'kafka'] : ['redis']
const all: StreamFigures[] = []
for (const kind of kinds) {
  say(`\n== the stream is ${kind} ==`)
  all.push(await benchStream(kind, plan))
}
const [redis, kafka] = all as [StreamFigures, StreamFigures?]
writeResult('ingest', {
  machine,
  settings,
  ...redis,
  ...(kafka && { kafka }),
  result: kafka ? compare(redis, kafka) : redis.result,
})
process.exitCode = all.every(({ faults }) => faults.length === 0) ? 0 : 1

/** Both summaries and the ratios that matter. */
function compare(redis: StreamFigures, kafka: StreamFigures) {
  const rows = [redis, kafka].map(({ kind, figures, result }) => ({
    stream: kind,
    events_per_s: result.events_per_s,
    cpu_us_per_event: result.cpu_us_per_event,
    ...latencies(figures, plan.rates),
    single_requests_per_s: result.single_requests_per_s,
    faults: result.faults,
  }))
  say('')
  printTable(rows)
  const ratio = (figure: 'events_per_s' | 'cpu_us_per_event' | 'single_requests_per_s') =>
    round((kafka.result[figure] ?? Number.NaN) / (redis.result[figure] ?? Number.NaN), 3)
  return {
    events_per_s_to_redis: ratio('events_per_s'),
    cpu_us_per_event_to_redis: ratio('cpu_us_per_event'),
    single_requests_per_s_to_redis: ratio('single_requests_per_s'),
    redis: redis.result,
    kafka: kafka.result,
  }
}
