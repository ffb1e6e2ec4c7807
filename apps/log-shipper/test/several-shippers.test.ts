import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { LogServiceClient } from '@millrace/contracts'
import type { Calls } from '@millrace/service'
import { freePort, spawnService, waitFor } from '@millrace/testing'
import { openLogService, SEARCH_ALL } from './open-log-service.js'
import { startShipper, type TestShipper } from './start-shipper.js'

const DEADLINE = { deadlineMs: 60_000 }
const SERVICES = 40

let first: TestShipper
let second: Awaited<ReturnType<typeof spawnService>>
let clients: { logs: Calls<typeof LogServiceClient.service>; close: () => void | Promise<void> }[]

function connect(grpcPort: number) {
  const [logs, close] = openLogService(grpcPort)
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
  const page = await clients[client]?.logs.searchLogs({ ...SEARCH_ALL, query }, { tenant: '1', caller: 'test' })
  return (page?.linesJson ?? []).map((text) => (JSON.parse(text) as { message: string }).message).sort()
}

/** Waits until a search finds the line of every service: a process reads the partitions that it owns some milliseconds after the acknowledgement. No search finds a line twice. */
async function expectAll(client: number, word: string): Promise<void> {
  const expected = Array.from({ length: SERVICES }, (_, n) => `${word} ${n}`).sort()
  const found = await waitFor(async () => {
    const lines = await find(client, word)
    expect(new Set(lines).size).toBe(lines.length)
    return lines.length >= SERVICES && lines
  }, DEADLINE)
  expect(found).toEqual(expected)
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
    for (const word of ['alpha', 'beta', 'gamma']) {
      await send(word)
      for (const client of [0, 1]) await expectAll(client, word)
    }
    await expectAll(1, 'alpha')
  })

  it('find the lines of one that was killed at once, while its lease still runs', async () => {
    await send('delta')
    await second.kill('SIGKILL')
    await expectAll(0, 'delta')
    // It still owns its partitions.
    expect((await owners()).length).toBe(2)
    await send('epsilon')
    await expectAll(0, 'epsilon')
    await expectAll(0, 'delta')
  })
})
