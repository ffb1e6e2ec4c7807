import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { LogServiceClient } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { type Calls, createGrpcClient } from '@millrace/service'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { freePort, spawnService, waitFor } from '@millrace/testing'
import { startShipper, type TestShipper } from './start-shipper.js'

const DEADLINE = { deadlineMs: 60_000 }
const SERVICES = 40

let first: TestShipper
let second: Awaited<ReturnType<typeof spawnService>>
let clients: { logs: Calls<typeof LogServiceClient.service>; close: () => void | Promise<void> }[]

function connect(grpcPort: number) {
  const [logs, close] = createGrpcClient(
    { service: LogServiceClient.service },
    `127.0.0.1:${grpcPort}`,
    { name: 'log-shipper' },
    { logger: silentLogger, tracer: noopTracer, metrics: createGrpcMetrics(createMetrics({ service: 'test' })) },
  )
  return { logs, close }
}

/** Sends one line of each of many services, so that lines are in all partitions. */
async function send(word: string): Promise<void> {
  const body = Array.from({ length: SERVICES }, (_, n) => JSON.stringify({ message: `${word} ${n}`, service: `s${n}` }))
  const response = await fetch(`${first.origin}/v1/logs/ndjson`, {
    method: 'POST',
    headers: { authorization: `Bearer ${first.key}` },
    body: body.join('\n'),
  })
  expect(response.status).toBe(200)
}

async function find(client: number, query: string): Promise<string[]> {
  const none: string[] = []
  const asked = { levels: none, services: none, host: '', traceId: '', contains: '', limit: 100, cursor: '', query }
  const page = await clients[client]?.logs.searchLogs(
    { ...asked, from: undefined, to: undefined, fields: none, highlight: false, oldestFirst: false },
    { tenant: '1', caller: 'test' },
  )
  return (page?.linesJson ?? []).map((text) => (JSON.parse(text) as { message: string }).message).sort()
}

/** How many partitions each process owns. */
async function owners(): Promise<number[]> {
  const { rows } = await first.database.query<{ count: number }>(
    `select count(*)::int as count from stream_partitions where stream = 'logs' and owner is not null group by owner`,
  )
  return rows.map(({ count }) => count)
}

describe('several log-shippers', () => {
  beforeAll(async () => {
    const [grpcPort, otherPort] = [await freePort(), await freePort()]
    // Nothing is written to PostgreSQL, so each line is only in the stream and in the memory of one process.
    const window = { LOG_WINDOW_SECONDS: '600' }
    first = await startShipper(() => ({ GRPC_PORT: String(grpcPort), ...window }))
    second = await spawnService({
      app: 'log-shipper',
      env: { ...first.env, HTTP_PORT: '0', GRPC_PORT: String(otherPort), ...window },
    })
    clients = [connect(grpcPort), connect(otherPort)]
    await waitFor(async () => (await owners()).length === 2, DEADLINE)
  }, 120_000)

  afterAll(async () => {
    for (const { close } of clients ?? []) await close()
    await second?.stop()
    await first?.stop()
  })

  it('find every acknowledged line once, whichever of them is asked', async () => {
    const expected = (word: string) => Array.from({ length: SERVICES }, (_, n) => `${word} ${n}`).sort()
    for (const word of ['alpha', 'beta', 'gamma']) {
      await send(word)
      for (const client of [0, 1]) expect(await find(client, word)).toEqual(expected(word))
    }
    expect(await find(1, 'alpha')).toEqual(expected('alpha'))
  })

  it('find the lines of one that was killed at once, while its lease still runs', async () => {
    await send('delta')
    await second.kill('SIGKILL')
    const expected = Array.from({ length: SERVICES }, (_, n) => `delta ${n}`).sort()
    expect(await find(0, 'delta')).toEqual(expected)
    // It still owns its partitions.
    expect((await owners()).length).toBe(2)
    await send('epsilon')
    expect(await find(0, 'epsilon')).toHaveLength(SERVICES)
    expect(await find(0, 'delta')).toEqual(expected)
  })
})
