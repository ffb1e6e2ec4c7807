import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { LogAnswer, SearchLogsRequest } from '@millrace/contracts'
import { freePort, waitFor } from '@millrace/testing'
import { EVERY_LINE, openLogService, SEARCH_ALL } from './open-log-service.js'
import { startShipper, type TestShipper } from './start-shipper.js'

const NOW = Math.floor(Date.now() / 3_600_000) * 3_600_000
const CALL = { tenant: '1', caller: 'test' }

let shipper: TestShipper
let logs: ReturnType<typeof openLogService>[0]
let close: () => void | Promise<void>

interface Line {
  readonly [name: string]: unknown
  readonly id: string
  readonly message: string
}

async function search(
  more: Partial<SearchLogsRequest>,
): Promise<{ lines: Line[]; page: Awaited<ReturnType<typeof logs.searchLogs>> }> {
  const page = await logs.searchLogs({ ...SEARCH_ALL, ...more }, CALL)
  return { lines: page.linesJson.map((text) => JSON.parse(text) as Line), page }
}

async function send(lines: readonly object[]): Promise<void> {
  const response = await fetch(`${shipper.origin}/v1/logs/ndjson`, {
    method: 'POST',
    headers: { authorization: `Bearer ${shipper.key}` },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  })
  expect(response.status).toBe(200)
}

const dataOf = <T>(answer: LogAnswer | undefined) => JSON.parse(answer?.dataJson ?? '') as T[]
const metaOf = (answer: LogAnswer | undefined) => JSON.parse(answer?.metaJson ?? '') as Record<string, unknown>

/** Line n is n seconds after the hour before last; the first 30 are in chunks, the others in the memory tail. */
const lineOf = (n: number) => ({
  time: new Date(NOW - 7_200_000 + n * 1000).toISOString(),
  level: n % 10 === 0 ? 'error' : 'info',
  service: n % 2 === 0 ? 'cart' : 'pay',
  host: `web-${n % 3}`,
  message: n % 10 === 0 ? `Payment of order ${n} failed` : `request ${n} took ${n}ms`,
  http: { status: n % 10 === 0 ? 500 : 200 },
  user: { name: 'Bob' },
})

describe('answers about log lines, from chunks and from the memory tail', () => {
  beforeAll(async () => {
    const grpcPort = await freePort()
    shipper = await startShipper(() => ({
      GRPC_PORT: String(grpcPort),
      LOG_WINDOW_LINES: '30',
      LOG_WINDOW_SECONDS: '600',
    }))
    ;[logs, close] = openLogService(grpcPort)
    await send(Array.from({ length: 30 }, (_, n) => lineOf(n)))
    await waitFor(async () => (await search({})).page.total === 30n, { deadlineMs: 60_000 })
    await send(Array.from({ length: 20 }, (_, n) => lineOf(30 + n)))
    await waitFor(async () => (await search({})).page.total === 50n, { deadlineMs: 60_000 })
  })
  afterAll(async () => {
    await close?.()
    await shipper?.stop()
  })

  it('search by the query language, and say of an empty page which field may be misspelled', async () => {
    expect((await search({ query: 'level>=error "payment of order"' })).lines).toHaveLength(5)
    expect((await search({ query: 'http.status>=500 AND NOT service:pay' })).lines).toHaveLength(5)
    expect((await search({ query: '/took [13]\\dms/' })).lines).toHaveLength(18)
    const { page } = await search({ query: 'http.statsu:500' })
    expect(page.hints).toEqual(['no line in memory has the attribute http.statsu; did you mean http.status?'])
    await expect(search({ query: 'payment "of' })).rejects.toMatchObject({
      code: 'LOG_QUERY_INVALID',
      details: { field: 'q', position: 8 },
    })
  })

  it('have the fields that were asked for and no others', async () => {
    const { lines } = await search({ query: 'failed', fields: ['message', 'http.status', 'level'], limit: 1 })
    expect(lines).toEqual([
      {
        id: expect.any(String),
        level: 'error',
        message: 'Payment of order 40 failed',
        attributes: { http: { status: 500 } },
      },
    ])
  })

  it('show where a line matches, in UTF-16 code units', async () => {
    const { lines } = await search({
      query: 'PAYMENT user.name:bob -refused',
      highlight: true,
      fields: ['message'],
      limit: 1,
    })
    expect(lines[0]?.highlights).toEqual([
      { field: 'message', ranges: [[0, 7]] },
      { field: 'attributes.user.name', ranges: [[0, 3]] },
    ])
  })

  it.each([false, true])(
    'page through all lines in order, from the oldest one too: oldest first is %s',
    async (oldestFirst) => {
      const found: string[] = []
      let cursor = ''
      do {
        const { lines, page } = await search({ oldestFirst, limit: 7, cursor })
        found.push(...lines.map(({ time }) => String(time)))
        cursor = page.nextCursor
      } while (cursor !== '')
      const times = Array.from({ length: 50 }, (_, n) => Date.parse(lineOf(n).time))
      expect(found.map(Date.parse)).toEqual(oldestFirst ? times : times.reverse())
    },
  )

  it('show the lines of the same service and host around a line, in their order, over the border of chunks and tail', async () => {
    const { lines } = await search({ query: '"request 28"' })
    const context = await logs.getLogContext({ id: lines[0]?.id ?? '', before: 2, after: 3 }, CALL)
    const around = context.linesJson.map((text) => JSON.parse(text) as Line)
    // Every sixth line has the same service and host.
    expect(around.map(({ message }) => /\d+/.exec(message)?.[0])).toEqual(['16', '22', '28', '34', '40', '46'])
    expect([context.index, context.incomplete]).toEqual([2, []])
    await expect(logs.getLogContext({ id: `${NOW}000000-0-1`, before: 1, after: 1 }, CALL)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(logs.getLogContext({ id: 'x', before: 1, after: 1 }, CALL)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(
      logs.getLogContext({ id: lines[0]?.id ?? '', before: 1, after: 1 }, { ...CALL, tenant: '2' }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('count lines by time and by a field', async () => {
    const range = { from: new Date(NOW - 7_200_000), to: new Date(NOW - 7_200_000 + 60_000) }
    const { answer } = await logs.countLogs(
      { conditions: { ...EVERY_LINE, ...range }, interval: '10s', groupBy: 'level', limit: 0 },
      CALL,
    )
    expect(dataOf(answer)).toEqual(
      [0, 1, 2, 3, 4, 5].map((bucket) => ({
        time: new Date(NOW - 7_200_000 + bucket * 10_000).toISOString(),
        count: bucket === 5 ? 0 : 10,
        groups: bucket === 5 ? { info: 0, error: 0 } : { info: 9, error: 1 },
      })),
    )
    expect([answer?.total, answer?.incomplete, metaOf(answer).interval_ms]).toEqual([50n, [], 10_000])
    const { answer: auto } = await logs.countLogs(
      { conditions: EVERY_LINE, interval: 'auto', groupBy: '', limit: 0 },
      CALL,
    )
    expect(dataOf<{ count: number }>(auto).reduce((sum, { count }) => sum + count, 0)).toBe(50)
    for (const interval of ['1x', '0s', '1s'])
      await expect(
        logs.countLogs({ conditions: EVERY_LINE, interval, groupBy: '', limit: 0 }, CALL),
      ).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
      })
  })

  it('count the most frequent values of a field', async () => {
    const { answer } = await logs.topLogValues({ conditions: EVERY_LINE, field: 'http.status', limit: 0 }, CALL)
    expect(dataOf(answer)).toEqual([
      { value: '200', count: 45, share: 0.9 },
      { value: '500', count: 5, share: 0.1 },
    ])
    expect(metaOf(answer)).toMatchObject({ distinct: 2, without_field: 0 })
  })

  it('count patterns of messages, compare them with the period before, and find the lines of a pattern', async () => {
    const range = { from: new Date(NOW - 7_200_000 + 25_000), to: new Date(NOW - 7_200_000 + 50_000) }
    const { answer } = await logs.findLogPatterns(
      { conditions: { ...EVERY_LINE, ...range }, limit: 0, byChange: false },
      CALL,
    )
    const data = dataOf<{ pattern: string; query: string; count: number }>(answer)
    expect(data).toMatchObject([
      { pattern: 'request <*> took <*>', count: 23, previous: 22, change: 23 / 22 - 1, levels: { info: 23 } },
      { pattern: 'Payment of order <*> failed', count: 2, previous: 3, levels: { error: 2 } },
    ])
    expect(answer?.total).toBe(25n)
    expect((await search({ query: data[1]?.query ?? '' })).lines).toHaveLength(5)
  })
})
