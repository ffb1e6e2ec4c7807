import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { SECOND_MS } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import {
  type Consumer,
  createRedisDriver,
  openProducer,
  type Producer,
  runConsumer,
  type StreamDriver,
} from '@millrace/streams'
import { startTestRedisServer, waitFor } from '@millrace/testing'
import { type Effects, openEffects, StoringHandler } from './effects.js'
import { LinesBuilder } from './lines-builder.js'

const PARTITIONS = 4
/** Incompressible, so that a frame is as large in Redis. */
const line = () => randomBytes(30_000).toString('base64')
/** Clearly less than the 10 s that the ids of a new primary may lie in the past. */
const SOON_MS = 7 * SECOND_MS

describe('a stream in Redis that was filled within seconds while nothing could be stored', () => {
  let server: Awaited<ReturnType<typeof startTestRedisServer>>
  let redis: RedisConnection
  let effects: Effects
  let driver: StreamDriver
  let producer: Producer<LinesBuilder>
  let consumer: Consumer
  let letGo: () => void
  let stored = Promise.resolve()

  beforeEach(async () => {
    server = await startTestRedisServer({ settings: { maxmemory: '24mb' } })
    redis = await openRedis({ url: server.url, name: 'stream', commandTimeoutMs: 2000 }, { logger: silentLogger })
    effects = await openEffects()
    driver = createRedisDriver({}, { redis })
    stored = new Promise<void>((resolve) => (letGo = resolve))
    producer = await openProducer(
      { stream: 'lines', partitions: PARTITIONS, createBuilder: () => new LinesBuilder() },
      { driver, logger: silentLogger },
    )
  })
  afterEach(async () => {
    letGo()
    await consumer?.stop()
    await producer.close()
    await redis.close()
    await effects.release()
    await server.stop()
  })

  async function consume(): Promise<void> {
    const handler = new StoringHandler()
    handler.beforeCommit = () => stored
    consumer = await runConsumer(
      {
        driver,
        handler,
        stream: 'lines',
        group: 'store',
        member: 'a',
        database: effects.database,
        settings: { partitions: PARTITIONS },
      },
      { logger: silentLogger },
    )
  }

  async function send(partition: number): Promise<void> {
    const { builder, appended } = producer.open(partition)
    builder.add(line())
    await appended
  }

  /** Appends until the producer refuses, and returns the number of stored lines. */
  async function fill(): Promise<number> {
    for (let sent = 0; ; sent++) {
      try {
        await send(sent % PARTITIONS)
      } catch (error) {
        expect(error).toMatchObject({ code: 'STREAM_FULL' })
        return sent
      }
    }
  }

  const isAccepting = async () => {
    await send(0)
    return true
  }

  it('takes records again within seconds after everything in it is stored, although no frame is older than 10 s', async () => {
    await consume()
    const sent = await fill()
    letGo()
    await effects.untilCount(sent)
    await waitFor(isAccepting, { deadlineMs: SOON_MS, intervalMs: 100, what: 'a record that the stream takes' })
    await effects.untilCount(sent + 1)
  })

  it('is trimmed even when the server refuses to copy the positions of the group for want of memory', async () => {
    const sent = await fill()
    await server.command('CONFIG', 'SET', 'maxmemory', '16mb')
    letGo()
    await consume()
    await effects.untilCount(sent)
    await waitFor(async () => (await driver.memory()).usedBytes < 9 * 1024 ** 2, { what: 'a trimmed stream' })
  })
})
