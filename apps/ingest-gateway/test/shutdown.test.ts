import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { migrate } from '@millrace/database'
import { createTestDatabase, freePort, spawnService, startTestRedisServer, waitFor } from '@millrace/testing'

const DELAY_MS = 1500
const TIMEOUT_MS = 4000
const EVENTS = 20

describe('the shutdown of a gateway', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>
  let redis: Awaited<ReturnType<typeof startTestRedisServer>>
  let gateway: Awaited<ReturnType<typeof spawnService>>
  let port: number

  beforeAll(async () => {
    database = await createTestDatabase({ migrate })
    redis = await startTestRedisServer()
    port = await freePort()
    gateway = await spawnService({
      app: 'ingest-gateway',
      env: {
        DATABASE_URL: database.url,
        STREAM_REDIS_URL: redis.url,
        HTTP_PORT: String(port),
        BOOTSTRAP_WRITE_KEY: 'mr_write_test',
        SHUTDOWN_DELAY_MS: String(DELAY_MS),
        SHUTDOWN_TIMEOUT_MS: String(TIMEOUT_MS),
        LOG_LEVEL: 'warn',
      },
    })
  })
  afterAll(async () => {
    await gateway?.stop()
    await redis?.stop()
    await database?.release()
  })

  const headers = { authorization: 'Bearer mr_write_test' }
  const post = (messageId: string) =>
    fetch(`http://127.0.0.1:${port}/v1/track`, {
      method: 'POST',
      headers: { ...headers, connection: 'close' },
      body: JSON.stringify({ event: 'A', userId: messageId, messageId }),
    })
  const readyStatus = async () => (await fetch(`${gateway.adminUrl}/ready`)).status

  /** A client that announces 1,000 bytes and sends ten of them. */
  async function openSlowClient(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.authorization}\r\n`)
    socket.write('Content-Length: 1000\r\n\r\n{"event":"')
    await once(socket, 'connect')
    return socket
  }

  it('serves connections during the delay, cuts off slow clients, and loses nothing that it acknowledged while the stream is down', async () => {
    await redis.kill()
    const slow = await Promise.all(Array.from({ length: 10 }, openSlowClient))
    const before = await Promise.all(Array.from({ length: EVENTS }, (_, index) => post(`before-${index}`)))
    expect(before.map(({ status }) => status)).toEqual(Array(EVENTS).fill(200))

    const signalledAt = performance.now()
    await gateway.kill('SIGTERM')
    await waitFor(async () => (await readyStatus()) === 503, { deadlineMs: 1000 })
    const during = await Promise.all(Array.from({ length: EVENTS }, (_, index) => post(`during-${index}`)))
    expect(performance.now() - signalledAt).toBeLessThan(DELAY_MS)
    expect(during.map(({ status }) => status)).toEqual(Array(EVENTS).fill(200))

    expect(await gateway.exited).toEqual({ code: 0, signal: null })
    expect(performance.now() - signalledAt).toBeGreaterThanOrEqual(DELAY_MS)
    expect(performance.now() - signalledAt).toBeLessThan(DELAY_MS + TIMEOUT_MS + 500)
    await waitFor(() => slow.every((socket) => socket.closed), { deadlineMs: 1000 })

    await redis.restart()
    await gateway.restart()
    const appended = async () => {
      const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text()
      return Number(/^millrace_stream_appended_records_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0)
    }
    await waitFor(async () => (await appended()) === 2 * EVENTS)
  })
})
