import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
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
import { createTestRedis, findTestKafka, useTestKafka, waitFor } from '@millrace/testing'
import { streamErrors } from '../src/errors.js'
import { type Effects, openEffects, StoringHandler } from './effects.js'
import { openTestKafkaDriver } from './kafka-driver.js'
import { LinesBuilder } from './lines-builder.js'

const QUICK: Partial<ConsumerSettings> = {
  partitions: 4,
  leaseMs: 6000,
  heartbeatMs: 100,
  mirrorMs: 50,
  idleCommitMs: 50,
  retryFirstMs: 10,
  retryCapMs: 100,
  blockMs: 200,
  leaveAfterMs: 20_000,
}

/** How a reader fails: it returns no frames, its reads never end, or they end with an error. */
type Fault = 'returns no frames' | 'hangs' | 'fails'

interface Opened {
  readonly driver: StreamDriver
  readonly stream: string
  release(): Promise<void>
}

interface Kind {
  readonly name: string
  /** Long enough for a reader's first answer. */
  readonly stallAfterMs: number
  open(): Promise<Opened>
}

const nothing = async () => undefined
const DRIVERS: Kind[] = [
  {
    name: 'memory',
    stallAfterMs: 500,
    open: async () => ({ driver: createMemoryDriver(), stream: 'lines', release: nothing }),
  },
  {
    name: 'memory, with partitions assigned by the broker',
    stallAfterMs: 500,
    open: async () => ({ driver: createMemoryDriver({ assignment: 'broker' }), stream: 'lines', release: nothing }),
  },
  {
    name: 'Redis',
    stallAfterMs: 500,
    open: async () => {
      const server = await createTestRedis()
      const redis = await openRedis({ url: server.url, name: 'stream' }, { logger: silentLogger })
      const driver = createRedisDriver({}, { redis })
      return {
        driver,
        stream: 'lines',
        release: async () => {
          await driver.close()
          await redis.close()
          await server.release()
        },
      }
    },
  },
]
if (typeof findTestKafka('the watchdog of a member on Kafka') !== 'string')
  DRIVERS.push({
    name: 'Kafka',
    stallAfterMs: 2000,
    open: async () => {
      const { brokers, prefix } = await useTestKafka()
      const driver = await openTestKafkaDriver(brokers, silentLogger)
      return { driver, stream: `${prefix}-lines`, release: () => driver.close() }
    },
  })

describe.each(DRIVERS)('the watchdog of a member ($name)', ({ name, open, stallAfterMs }) => {
  let effects: Effects
  let opened: Opened
  let driver: StreamDriver
  /** What members see instead of the driver's own methods, which it also uses itself. */
  let faults: Partial<StreamDriver>
  let producer: Producer<LinesBuilder>
  let consumers: Consumer[]
  let logged: string[]

  beforeEach(async () => {
    effects = await openEffects()
    opened = await open()
    faults = {}
    driver = withFaults(opened.driver, () => faults)
    await opened.driver.prepare(opened.stream, 4)
    producer = await openProducer(
      { stream: opened.stream, partitions: 4, createBuilder: () => new LinesBuilder(), lingerMs: 1 },
      { driver, logger: silentLogger },
    )
    consumers = []
    logged = []
  })
  afterEach(async () => {
    faults = {}
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
        stream: opened.stream,
        group: `${opened.stream}-store`,
        member: `m${consumers.length}`,
        database: effects.database,
        handler,
        settings: { ...QUICK, stallAfterMs, ...given },
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
    let readers = 0
    faults.openReader = async (stream) => {
      const number = readers++
      return breakable(await opened.driver.openReader(stream), () => faultOf(number))
    }
    return () => readers
  }
  /** The end of a stop that runs out of time goes on in the background. */
  const untilReleased = () =>
    waitFor(
      async () => {
        const { rows } = await effects.database.query('select from stream_partitions where owner is not null')
        return rows.length === 0
      },
      { what: 'the release of all partitions' },
    )
  const untilPassed = async (ms: number) => {
    const endsAt = performance.now() + ms
    await waitFor(() => performance.now() > endsAt, { deadlineMs: 2 * ms + 60_000 })
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
    const { consumer, metrics } = await start({ stallAfterMs: 0.6 * stallAfterMs })
    await waitFor(async () => consumer.state().partitions.length === 4)
    for (const partition of [0, 1]) await send(partition, `to ${partition}`)
    await waitFor(async () => /stalled_partitions\{.*\} [12]\b/.test(await metrics.expose()), {
      what: 'the alarm',
      deadlineMs: 120_000,
    })
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
    // A quarter of the limit is for the read to end by itself.
    await consumer.stop(4000)
    await untilReleased()
  })

  it('does nothing while every frame has been read and no more come', async () => {
    const { metrics } = await start()
    for (let i = 0; i < 4; i++) await send(i, `${i}`)
    await effects.untilCount(4)
    await untilPassed(2 * stallAfterMs)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
  })

  // What follows does not depend on the driver's readers, positions and groups.
  if (!name.startsWith('memory')) return

  it('stops although its maintenance never ends', async () => {
    const { consumer } = await start({ stallAfterMs: 600_000 })
    await waitFor(async () => consumer.state().partitions.length === 4)
    let isHanging = false
    faults.describe = () => {
      isHanging = true
      return new Promise(() => undefined)
    }
    await waitFor(() => isHanging)
    await consumer.stop(2000)
    await untilReleased()
  })

  it('stops although a transaction never ends, and another member stores its records once', async () => {
    const handler = new StoringHandler()
    let hung: (() => void) | undefined
    handler.beforeCommit = (batch) =>
      batch.records === 0 ? Promise.resolve() : new Promise((resolve) => (hung = resolve))
    const { consumer } = await start({}, handler)
    await waitFor(async () => consumer.state().partitions.length === 4)
    for (let i = 0; i < 4; i++) await send(i, `${i}`)
    await waitFor(() => hung !== undefined)
    await consumer.stop(2000)
    await start()
    await effects.untilCount(4)
    // The transaction continues after all: its partitions belong to another member.
    hung?.()
    await untilPassed(500)
    expect(await effects.count()).toBe(4)
  })

  it('does nothing while partitions are blocked', async () => {
    const handler = new StoringHandler()
    handler.beforeCommit = async (batch) => {
      if (batch.records > 0) throw new Error('full')
    }
    const { metrics } = await start({}, handler)
    for (let i = 0; i < 8; i++) await send(i % 4, `${i}`)
    await untilPassed(3 * stallAfterMs)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
  })

  it('does nothing while a slow handler is at work', async () => {
    const handler = new StoringHandler()
    handler.beforeCommit = async (batch) => {
      if (batch.records > 0) await new Promise((resolve) => setTimeout(resolve, 1.6 * stallAfterMs))
    }
    const { metrics } = await start({ batchFramesMax: 1, leaseMs: 30_000 }, handler)
    for (let i = 0; i < 3; i++) await send(i, `${i}`)
    await effects.untilCount(3)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
  })

  it('does nothing while there are no frames', async () => {
    const { consumer, metrics } = await start()
    await waitFor(async () => consumer.state().partitions.length === 4)
    await untilPassed(3 * stallAfterMs)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
  })

  it('does nothing while the stream does not answer, and every record is stored afterwards', async () => {
    let isDown = false
    breakReaders(() => (isDown ? 'fails' : undefined))
    const { consumer, handler, metrics } = await start()
    await waitFor(async () => consumer.state().partitions.length === 4)
    isDown = true
    faults.describe = () => Promise.reject(streamErrors.STREAM_UNAVAILABLE())
    for (let i = 0; i < 4; i++) await send(i, `${i}`)
    await untilPassed(3 * stallAfterMs)
    expect(await metrics.expose()).not.toMatch(/millrace_stream_stalls_total\{/)
    isDown = false
    faults = {}
    await effects.untilCount(4)
    expect(handler.revocations).toEqual([])
  })
})

/** The driver, with some methods replaced for those who call them on the result. */
function withFaults(driver: StreamDriver, faults: () => Partial<StreamDriver>): StreamDriver {
  return new Proxy(driver, {
    get: (target, name: keyof StreamDriver) => {
      const own = faults()[name] ?? target[name]
      return typeof own === 'function' ? own.bind(target) : own
    },
  })
}

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
