import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@jest/globals'
import { hold } from '@millrace/testing'
import { messageId, mix32, type Numbering, numberOf, unmix32, userId, userOf } from './numbering.js'
import { EVENT_BYTES, RequestTemplate } from './request-template.js'
import { runLoad } from './run-load.js'
import { parseResponse } from './wire-connection.js'

const numbering: Numbering = { seed: 4711, batchEvents: 10, connections: 3, users: 300 }

interface SentEvent {
  messageId: string
  userId: string
  timestamp: string
  properties: { seq: number; value: number; carrier: string }
}

/** A gateway that answers as `answer` says; it keeps the batches that it acknowledged. */
async function fakeGateway(answer: (events: SentEvent[], req: IncomingMessage) => number | 'break') {
  const acknowledged: SentEvent[][] = []
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const { batch } = JSON.parse(Buffer.concat(chunks).toString()) as { batch: SentEvent[] }
      const status = answer(batch, req)
      if (status === 'break') return res.destroy()
      if (status === 200) acknowledged.push(batch)
      return res.writeHead(status, { 'retry-after': '0' }).end('{"success":true,"rejected":[]}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = hold('fake gateway', async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, acknowledged, stop }
}

test('the message id of an event determines its number, and ids of another load or of another sender have none', () => {
  const ids = new Set<string>()
  for (let number = 0; number < 2_000; number++) {
    const id = messageId(numbering.seed, number)
    ids.add(id)
    expect(numberOf(numbering.seed, id)).toBe(number)
    expect(unmix32(mix32(number * 214_013))).toBe((number * 214_013) >>> 0)
  }
  expect(ids.size).toBe(2_000)
  expect(numberOf(numbering.seed + 1, messageId(numbering.seed, 5))).toBeUndefined()
  expect(numberOf(numbering.seed, 'no id of ours')).toBeUndefined()
  expect([...ids][0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('every event has 298 bytes and the id, user and sequence of its number, and no two connections share a user', () => {
  const users: Set<string>[] = []
  for (let connection = 0; connection < 3; connection++) {
    const template = new RequestTemplate({ host: 'localhost', key: 'key', numbering, connection })
    const seen = new Set<string>()
    for (let batch = connection; batch < 300; batch += 3) {
      const text = template.render(batch, new Date('2026-11-21T10:00:00.123Z')).toString()
      const [head = '', body = ''] = text.split('\r\n\r\n')
      expect(head).toContain(`Content-Length: ${body.length}`)
      const eventsText = body.replace('{"batch":[', '').replace(/\],"sentAt":"[^"]*"\}$/, '')
      expect(eventsText).toHaveLength(10 * EVENT_BYTES + 9)
      const { batch: events, sentAt } = JSON.parse(body) as { batch: SentEvent[]; sentAt: string }
      expect(sentAt).toBe('2026-11-21T10:00:00.123Z')
      for (const [i, event] of events.entries()) {
        const number = batch * 10 + i
        expect(event.messageId).toBe(messageId(numbering.seed, number))
        expect(event.userId).toBe(userId(userOf(numbering, number)))
        expect(event.properties.seq).toBe(100_000_000 + number)
        expect(event.timestamp).toBe(sentAt)
        seen.add(event.userId)
      }
    }
    users.push(seen)
  }
  expect(users[0]?.size).toBeGreaterThan(30)
  expect(new Set(users.flatMap((seen) => [...seen])).size).toBe(users.reduce((sum, seen) => sum + seen.size, 0))
})

test('a batch is sent again, unchanged, until it is acknowledged, and the report counts acknowledged batches only', async () => {
  let request = 0
  const seen = new Map<string, number>()
  const gateway = await fakeGateway((events) => {
    const id = events[0]?.messageId ?? ''
    seen.set(id, (seen.get(id) ?? 0) + 1)
    request++
    return request % 5 === 0 ? 503 : request % 7 === 0 ? 'break' : 200
  })
  const stop = new AbortController()
  const load = runLoad({
    urls: [gateway.url],
    writeKey: 'key',
    numbering,
    durationMs: 60_000,
    retryPauseMaxMs: 1,
    signal: stop.signal,
    onAcknowledged: (batches) => batches === 100 && stop.abort(),
  })
  const report = await load
  await gateway.stop()
  const numbers = gateway.acknowledged.flat().map((event) => numberOf(numbering.seed, event.messageId))
  const expected = report.batches.flatMap((count, connection) =>
    Array.from({ length: count * 10 }, (_, i) => (connection + Math.floor(i / 10) * 3) * 10 + (i % 10)),
  )
  expect(new Set(numbers)).toEqual(new Set(expected))
  expect(numbers).toHaveLength(expected.length)
  expect(report.acknowledgedEvents).toBe(expected.length)
  expect(report.retries).toBe((report.statuses['503'] ?? 0) + (report.statuses.broken ?? 0))
  expect(report.retries).toBeGreaterThan(20)
  expect([...seen.values()].reduce((sum, times) => sum + times - 1, 0)).toBe(report.retries)
})

test('a refused batch ends the load with the answer of the gateway', async () => {
  const gateway = await fakeGateway(() => 401)
  const load = runLoad({ urls: [gateway.url], writeKey: 'key', numbering, durationMs: 60_000 })
  await expect(load).rejects.toThrow(/refused with 401/)
  await gateway.stop()
})

test('an open loop sends the configured number of events per second', async () => {
  const gateway = await fakeGateway(() => 200)
  const report = await runLoad({
    urls: [gateway.url],
    writeKey: 'key',
    numbering,
    durationMs: 500,
    eventsPerSecond: 2000,
  })
  await gateway.stop()
  expect(report.acknowledgedEvents).toBe(1000)
})

test.each([
  ['a body of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
  ['a chunked body', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n', 'hello'],
])('understands %s, however it is cut', (_, text, body) => {
  const bytes = Buffer.from(text)
  expect(parseResponse(bytes)).toMatchObject({ status: 200, body })
  for (let cut = 0; cut < bytes.length - 2; cut++) expect(parseResponse(bytes.subarray(0, cut))).toBeUndefined()
})
