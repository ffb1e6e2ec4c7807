import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Logger } from '@millrace/logger'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import {
  type Consumer,
  ConsumerMetrics,
  type ConsumerSettings,
  createMemoryDriver,
  createRedisDriver,
  openProducer,
  type Producer,
  runConsumer,
  type StreamDriver,
  type StreamReader,
} from '@millrace/streams'
import { createMetrics } from '@millrace/telemetry'
import { createTestRedis, waitFor } from '@millrace/testing'
import { streamErrors } from '../src/errors.js'
import { type Effects, openEffects, StoringHandler } from './effects.js'
import { LinesBuilder } from './lines-builder.js'

const QUICK: Partial<ConsumerSettings> = {
  partitions: 4,
  leaseMs: 3000,
  heartbeatMs: 100,
  mirrorMs: 50,
  idleCommitMs: 50,
  retryFirstMs: 10,
  retryCapMs: 100,
  blockMs: 200,
  stallAfterMs: 500,
  leaveAfterMs: 20_000,
}

/** How a reader fails: it returns no frames, its reads never end, or they end with an error. */
type Fault = 'returns no frames' | 'hangs' | 'fails'

interface Opened {
  readonly driver: StreamDriver
  release(): Promise<void>
}

const DRIVERS: [name: string, open: () => Promise<Opened>][] = [
  ['memory', async () => ({ driver: createMemoryDriver(), release: async () => undefined })],
  [
    'memory, with partitions assigned by the broker',
    async () => ({ driver: createMemoryDriver({ assignment: 'broker' }), release: async () => undefined }),
  ],
  [
    'Redis',
    async () => {
      const server = await createTestRedis()
      const redis = await openRedis({ url: server.url, name: 'stream' }, { logger: silentLogger })
      const driver = createRedisDriver({}, { redis })
      return {
        driver,
        release: async () => {
          await driver.close()
          await redis.close()
          await server.release()
        },
      }
    },
  ],
]

describe.each(DRIVERS)('the watchdog of a member (%s)', (_, open) => {
  let effects: Effects
  let opened: Opened
  let driver: StreamDriver
  let producer: Producer<LinesBuilder>
  let consumers: Consumer[]
  let logged: string[]

  beforeEach(async () => {
    effects = await openEffects()
    opened = await open()
    driver = opened.driver
    producer = await openProducer(
      { stream: 'lines', partitions: 4, createBuilder: () => new LinesBuilder(), lingerMs: 1 },
      { driver, logger: silentLogger },
    )
    consumers = []
    logged = []
  })
  afterEach(async () => {
    jest.restoreAllMocks()
    for (const consumer of consumers) await consumer.stop()
    await producer.close()
    await opened.release()
    await effects.release()
  })

  const logger: Logger = {
    ...silentLogger,
    child: () => logger,
    warn: (message) => void logged.push(`WARN ${message}`),
    error: (message) => void logged.push(`ERROR ${message}`),
  }
  const start = async (given: Partial<ConsumerSettings> = {}, handler = new StoringHandler()) => {
    const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
    const consumer = await runConsumer(
      {
        driver,
        stream: 'lines',
        group: 'store',
        member: `m${consumers.length}`,
        database: effects.database,
        handler,
        settings: { ...QUICK, ...given },
      },
      { logger, metrics: new ConsumerMetrics(metrics) },
    )
    consumers.push(consumer)
    return { consumer, handler, metrics }
  }
  const send = async (partition: number, line: string) => {
    const { builder, appended } = producer.open(partition)
    builder.add(line)
    await appended
  }
  /** Each read of a reader fails as `faultOf` says; readers are numbered from 0. Returns the number of readers that were opened. */
  const breakReaders = (faultOf: (reader: number) => Fault | undefined) => {
    const openReader = driver.openReader.bind(driver)
    let readers = 0
    jest.spyOn(driver, 'openReader').mockImplementation(async (stream) => {
      const number = readers++
      return breakable(await openReader(stream), () => faultOf(number))
    })
    return () => readers
  }

  it.each<[Fault]>([['returns no frames'], ['hangs']])(
    'replaces a reader that %s although the stream has frames, and every record is stored once',
    async (fault) => {
      const readers = breakReaders((reader) => (reader === 0 ? fault : undefined))
      const { consumer, metrics } = await start()
      await waitFor(async () => consumer.state().partitions.length === 4)
      for (let i = 0; i < 8; i++) await send(i % 4, `${i}`)
      await effects.untilCount(8)
      expect(readers()).toBe(2)
      expect(await effects.lines()).toEqual(
        new Map([0, 1, 2, 3].map((partition) => [partition, [`${partition}`, `${partition + 4}`]])),
      )
      expect(logged).toEqual(
        expect.arrayContaining(['WARN the stream has frames that are not being read; a new reader is opened']),
      )
      expect(logged.filter((line) => line.startsWith('ERROR'))).toEqual([])
      const text = await metrics.expose()
      expect(text).toMatch(/millrace_stream_stalls_total\{.*step="rebuild_reader".*\} 1/)
      expect(text).toMatch(/millrace_stream_stalled_partitions\{.*\} 0/)
    },
  )

  it('leaves the group when a new reader does not help, so that another member stores the records', async () => {
    const { consumer: well } = await start()
    await waitFor(async () => well.state().partitions.length === 4)
    breakReaders(() => 'returns no frames')
    const { consumer: ill } = await start()
    await waitFor(async () => ill.state().partitions.length === 2 && well.state().partitions.length === 2)
    for (let i = 0; i < 8; i++) await send(i % 4, `${i}`)
    await effects.untilCount(8)
    await waitFor(async () => well.state().partitions.length === 4)
    expect(ill.state().partitions).toEqual([])
    expect(logged).toEqual(expect.arrayContaining(['WARN a new reader has not helped; this member leaves the group']))
  })

  it('raises an alarm when neither a new reader nor a new membership helps, and ends it when frames are read again', async () => {
    let isFaulty = true
    breakReaders(() => (isFaulty ? 'hangs' : undefined))
    const { consumer, metrics } = await start({ stallAfterMs: 300 })
    await waitFor(async () => consumer.state().partitions.length === 4)
    for (const partition of [0, 1]) await send(partition, `to ${partition}`)
    await waitFor(async () => /stalled_partitions\{.*\} [12]\b/.test(await metrics.expose()), { what: 'the alarm' })
    expect(logged.filter((line) => line.startsWith('ERROR'))).toContain(
      'ERROR this member cannot read frames that are in the stream; it leaves the group again',
    )
    expect(consumer.state().stalledPartitions).not.toEqual([])
    isFaulty = false
    await effects.untilCount(2)
    await waitFor(async () => /stalled_partitions\{.*\} 0/.test(await metrics.expose()), {
      what: 'the end of the alarm',
    })
    expect(consumer.state().stalledPartitions).toEqual([])
  })

  it('stops although a read never ends', async () => {
    breakReaders(() => 'hangs')
    const { consumer } = await start({ stallAfterMs: 600_000 })
    await waitFor(async () => consumer.state().partitions.length === 4)
    await consumer.stop()
    const { rows } = await effects.database.query('select from stream_partitions where owner is not null')
    expect(rows).toEqual([])
  })

  it('does nothing while partitions are blocked', async () => {
    const handler = new StoringHandler()
    let failures = 0
    handler.beforeCommit = async (batch) => {
      if (batch.records > 0) throw new Error(`full, for the ${++failures}th time`)
    }
    const { metrics } = await start({}, handler)
    for (let i = 0; i < 8; i++) await send(i % 4, `${i}`)
    // One failure every 100 ms, three times stallAfterMs.
    await waitFor(async () => failures > 18)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
  })

  it('does nothing while a slow handler is at work', async () => {
    const handler = new StoringHandler()
    handler.beforeCommit = async (batch) => {
      if (batch.records > 0) await new Promise((resolve) => setTimeout(resolve, 800))
    }
    const { metrics } = await start({ batchFramesMax: 1 }, handler)
    for (let i = 0; i < 4; i++) await send(i, `${i}`)
    await effects.untilCount(4)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
  })

  it('does nothing while no frames come', async () => {
    const { consumer, metrics } = await start()
    await waitFor(async () => consumer.state().partitions.length === 4)
    const described = jest.spyOn(driver, 'describe')
    // Maintenance describes the stream ten times within stallAfterMs, as often as the watchdog does.
    await waitFor(async () => described.mock.calls.length >= 60)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
  })

  it('does nothing while the stream does not answer, and every record is stored afterwards', async () => {
    let isDown = false
    breakReaders(() => (isDown ? 'fails' : undefined))
    const { consumer, handler, metrics } = await start()
    await waitFor(async () => consumer.state().partitions.length === 4)
    isDown = true
    const down = streamErrors.STREAM_UNAVAILABLE()
    const described = jest.spyOn(driver, 'describe').mockImplementation(() => Promise.reject(down))
    for (let i = 0; i < 4; i++) await send(i, `${i}`)
    await waitFor(async () => described.mock.calls.length >= 60)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
    isDown = false
    described.mockRestore()
    await effects.untilCount(4)
    expect(handler.revocations).toEqual([])
  })
})

function breakable(reader: StreamReader, faultNow: () => Fault | undefined): StreamReader {
  return {
    seek: (partition, after) => reader.seek(partition, after),
    remove: (partition) => reader.remove(partition),
    wake: () => reader.wake(),
    close: () => reader.close(),
    read: async (limits) => {
      const fault = faultNow()
      if (fault === undefined) return await reader.read(limits)
      if (fault === 'hangs') return await new Promise(() => undefined)
      if (fault === 'fails') throw streamErrors.STREAM_UNAVAILABLE()
      await new Promise((resolve) => setTimeout(resolve, limits.blockMs))
      return []
    },
  }
}
