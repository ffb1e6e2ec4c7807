// npm run bench -- event-size: what an event costs by its size and number of keys; see README.md beside this file.
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { removeTemporary, type Stack, startStack, temporaryDirectory } from '@millrace/local-stack'
import pg from 'pg'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { processFigures } from '../load/process-figures.js'
import { SHAPES, type Shape } from './shapes.js'

const { values } = parseArgs({ options: { megabytes: { type: 'string', default: '48' }, seconds: { type: 'string' } } })
/** Bytes of events that are sent of each shape. */
const SENT_BYTES = Number(values.megabytes) * 1_000_000
const REQUEST_BYTES = 3_000_000
const QUERIES = 5
const EVENT = 'Measured'

const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const dataDir = temporaryDirectory('millrace-event-size-')
const stack = await startStack({
  dataDir,
  ports: 'free',
  say: () => undefined,
  env: { EVENT_BYTES_MAX: '1048576', EVENT_KEYS_MAX: '100000' },
})
const sql = new pg.Client({ connectionString: stack.databaseUrl })
try {
  await sql.connect()
  // What the first requests compile and create belongs to no shape.
  await measure({ name: 'warm-up', properties: SHAPES[0]?.properties ?? (() => ({})) })
  const rows = []
  for (const shape of SHAPES) rows.push(await measure(shape))
  printTable(rows)
  const small = rows[0]
  const ratios = rows.map((row) => ({
    event: row.event,
    cpu_per_byte: round(cpuPerByte(row) / cpuPerByte(small ?? row), 2),
    stored_per_byte: round(row.stored_bytes / row.bytes, 2),
    stream_per_byte: round(row.stream_bytes / row.bytes, 2),
  }))
  say('per byte, as a multiple of the first row or of the bytes sent:')
  printTable(ratios)
  writeResult('event-size', { machine, rows, result: { ratios } })
} finally {
  await sql.end()
  await stack.stop()
  removeTemporary(dataDir)
}

function cpuPerByte(row: Awaited<ReturnType<typeof measure>>): number {
  return (row.gateway_us + row.consumer_us + row.postgres_us) / row.bytes
}

/** Sends events of one shape and returns what one of them cost. */
async function measure({ name, properties }: Shape) {
  const event = `${EVENT} ${name}`
  const create = (i: number) => JSON.stringify({ event, userId: `user-${i % 1000}`, properties: properties(i) })
  const bytes = create(0).length
  const count = Math.max(32, Math.round(SENT_BYTES / bytes))
  const before = await readFigures(stack)
  const perRequest = Math.max(1, Math.floor(REQUEST_BYTES / bytes))
  for (let i = 0; i < count; i += perRequest)
    await send(Array.from({ length: Math.min(perRequest, count - i) }, (_, n) => create(i + n)))
  // The consumer still writes rollups and PostgreSQL its log.
  await delay(1500)
  const after = await readFigures(stack)
  const per = (key: keyof typeof before, digits = 0) => round((after[key] - before[key]) / count, digits) ?? 0
  return {
    event: name,
    bytes,
    gateway_us: per('gatewayUs'),
    consumer_us: per('consumerUs'),
    postgres_us: per('postgresUs'),
    stream_bytes: per('streamBytes'),
    stored_bytes: per('tableBytes'),
    index_bytes: per('indexBytes'),
    filter_us: round(((await queryMs(event)) * 1000) / count),
    list_us: round(((await listMs(event)) * 1000) / Math.min(100, count)),
    gateway_mib: round(after.gatewayMib),
    consumer_mib: round(after.consumerMib),
  }
}

async function send(events: readonly string[]): Promise<void> {
  const response = await fetch(`${stack.url}/v1/events?wait=stored`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.writeKey}`, 'content-type': 'application/json' },
    body: `[${events.join(',')}]`,
  })
  const answer = (await response.json()) as { accepted?: number; outcome?: { stored?: number } }
  if (answer.outcome?.stored !== events.length) throw new Error(`not stored: ${JSON.stringify(answer).slice(0, 500)}`)
}

/** Median time of a query that reads every event of this name and looks at one property. */
async function queryMs(event: string): Promise<number> {
  const filters = JSON.stringify([{ property: 'properties.key_0', op: 'eq', value: 'nothing' }])
  const query = new URLSearchParams({ event, filters, fresh: 'true', interval: '1d' })
  return await medianMs(`/api/v1/query/timeseries?${query.toString()}`)
}

/** Median time of a list of up to 100 events. */
async function listMs(event: string): Promise<number> {
  return await medianMs(`/api/v1/events?${new URLSearchParams({ event, limit: '100' }).toString()}`)
}

async function medianMs(path: string): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < QUERIES; i++) {
    const startedAt = performance.now()
    const response = await fetch(stack.url + path, { headers: { authorization: `Bearer ${stack.adminKey}` } })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${path}: ${text.slice(0, 500)}`)
    times.push(performance.now() - startedAt)
  }
  return times.sort((a, b) => a - b)[Math.floor(QUERIES / 2)] as number
}

async function readFigures({ processes }: Stack) {
  const running = processes()
  const figures = (name: RegExp) => {
    const process = running.find((one) => name.test(one.name))
    if (process === undefined) throw new Error(`no process is called ${name}`)
    return processFigures(process.pid)
  }
  const [gateway, consumer, server] = [figures(/ingest-gateway/), figures(/stream-consumer/), figures(/postgres/i)]
  const sizes = await sql.query<{ tables: string; indexes: string }>(
    `select sum(pg_table_size(relid)) as tables, sum(pg_indexes_size(relid)) as indexes from pg_partition_tree('events')`,
  )
  return {
    gatewayUs: gateway.cpuSeconds * 1e6,
    consumerUs: consumer.cpuSeconds * 1e6,
    postgresUs: server.cpuSeconds * 1e6,
    gatewayMib: gateway.rssMib,
    consumerMib: consumer.rssMib,
    streamBytes: await readAppendedBytes(),
    tableBytes: Number(sizes.rows[0]?.tables),
    indexBytes: Number(sizes.rows[0]?.indexes),
  }
}

async function readAppendedBytes(): Promise<number> {
  const gateway = stack.services.find(({ instance }) => instance.name === 'ingest-gateway')
  const text = await (await fetch(`${gateway?.server.adminUrl}/metrics`)).text()
  return Number(/^millrace_stream_appended_bytes_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0)
}
