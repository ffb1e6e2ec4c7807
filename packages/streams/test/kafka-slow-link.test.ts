import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { BEGINNING, openStreamDriver, type StoredFrame, type StreamDriver } from '@millrace/streams'
import { findTestKafka, startTcpProxy, startTestKafka, type TcpProxy, waitFor } from '@millrace/testing'

const describeWithKafka = typeof findTestKafka('Kafka behind a slow link') === 'string' ? describe.skip : describe
const LIMITS = { framesMax: 100, bytesMax: 1024 ** 2, blockMs: 10_000 }
/** Each way: a request and its answer take longer than any limit for near brokers. */
const DELAY_MS = 1_100
const STREAM = 'slow'

describeWithKafka('a Kafka broker behind a slow link', () => {
  let proxy: TcpProxy
  let server: Awaited<ReturnType<typeof startTestKafka>>
  let driver: StreamDriver
  const drivers: StreamDriver[] = []

  beforeAll(async () => {
    proxy = await startTcpProxy(1, { delayMs: DELAY_MS })
    // Clients connect to the address that the broker advertises.
    server = await startTestKafka({ settings: { 'advertised.listeners': `CLIENT://127.0.0.1:${proxy.port}` } })
    proxy.target(server.port)
    await proxy.set('slow')
    driver = await open()
    await untilDone(() => driver.prepare(STREAM, 1))
  }, 180_000)
  afterAll(async () => {
    for (const driver of drivers) await driver.close()
    await server.stop()
    await proxy.stop()
  })

  const open = async () => {
    const brokers = [`127.0.0.1:${proxy.port}`]
    const settings = { STREAM_DRIVER: 'kafka' as const, KAFKA_BROKERS: brokers }
    const driver = await openStreamDriver(settings, { redis: undefined, logger: silentLogger })
    drivers.push(driver)
    return driver
  }
  /** Repeats a call that may fail while the driver is still connecting. */
  const untilDone = async <T>(call: () => Promise<T>): Promise<T> => {
    const done = await waitFor(async () => ({ value: await call() }), { deadlineMs: 60_000 })
    return done.value
  }
  const append = async (text: string) => {
    const [result] = await driver.append(STREAM, [{ partition: 0, frame: Buffer.from(text) }])
    if (result?.kind !== 'held') throw new Error(`not held: ${JSON.stringify(result)}`)
    return result.position
  }

  it('creates its topic, stores frames and returns them, although each request takes longer than the limits for near brokers', async () => {
    await untilDone(() => append('over a slow link'))
    const reader = await driver.openReader(STREAM)
    reader.seek(0, BEGINNING)
    const read: StoredFrame[] = []
    await untilDone(async () => {
      read.push(...(await reader.read(LIMITS)))
      if (read.length === 0) throw new Error('nothing was read')
    })
    expect(read[0]?.bytes.toString()).toBe('over a slow link')
    const [description] = await untilDone(() => driver.describe(STREAM, [0]))
    expect(description?.frames).toBeGreaterThan(0)
    await reader.close()
  }, 180_000)

  it('does not make appends wait for long when it has become near again and then hangs', async () => {
    await proxy.set('pass')
    // The fastest answer decides about the limit.
    await untilDone(() => append('near'))
    await untilDone(() => append('near again'))
    await server.pause()
    try {
      const startedAt = performance.now()
      await expect(append('hangs')).rejects.toThrow('not held')
      expect(performance.now() - startedAt).toBeLessThan(5 * DELAY_MS)
    } finally {
      await server.resume()
    }
  }, 180_000)

  it('is reached again after connections were lost in the network while the driver connected', async () => {
    await proxy.set('swallow-answers')
    const another = await open()
    await expect(another.describe(STREAM, [0])).rejects.toThrow()
    await proxy.set('pass')
    const startedAt = performance.now()
    await untilDone(() => another.describe(STREAM, [0]))
    // A connection that lost bytes stays dead, so another one was opened.
    expect(performance.now() - startedAt).toBeLessThan(15_000)
  }, 120_000)
})
