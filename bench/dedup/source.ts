import { randomUUID } from 'node:crypto'
import { hashText, partitionOf, RecordBatchBuilder } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { seriesKey } from '@millrace/rollups'
import { createRedisDriver, openProducer, type Producer } from '@millrace/streams'

const PARTITIONS = 16
const USERS = 50_000
const CARRIERS = ['UA', 'LH', 'AF', 'BA', 'DL', 'AA', 'QF', 'EK']
const NAMES = ['Flight', 'Search', 'Booking', 'Payment', 'Login', 'Logout', 'Click', 'View', 'Scroll', 'Error']

export interface Source {
  /** Sends `count` events and resolves when the stream holds them all. A share of `duplicates` repeats ids of the same call. */
  send(count: number, duplicates: number): Promise<void>
  close(): Promise<void>
}

/** Puts events into the stream as the gateway does, without HTTP: frames of records of about 300 bytes, ids that are random UUIDs. */
export async function openSource(redisUrl: string): Promise<Source> {
  const redis = await openRedis({ url: redisUrl, name: 'bench' }, { logger: silentLogger })
  const driver = createRedisDriver({}, { redis })
  const config = {
    stream: 'events',
    partitions: PARTITIONS,
    createBuilder: () => new RecordBatchBuilder(),
    lingerMs: 5,
  }
  const producer = await openProducer(config, { driver, logger: silentLogger })
  return {
    async send(count, duplicates) {
      const appended = new Set<Promise<unknown>>()
      let id: string = randomUUID()
      for (let i = 0; i < count; i++) {
        if (Math.random() >= duplicates) id = randomUUID()
        appended.add(add(producer, id))
      }
      await Promise.all(appended)
    },
    async close() {
      await producer.close()
      await driver.close()
      await redis.close()
    },
  }
}

const message = { lo: 0, hi: 0 }
const user = { lo: 0, hi: 0 }

function add(producer: Producer<RecordBatchBuilder>, messageId: string): Promise<unknown> {
  // One user an id, so that a repeated id meets its window.
  hashText(messageId, 1, message)
  const userId = `user-${message.lo % USERS}`
  hashText(userId, 1, user)
  const { builder, appended } = producer.open(partitionOf(user, PARTITIONS))
  const event = NAMES[message.hi % NAMES.length] ?? ''
  const nowMs = Date.now()
  const carrier = CARRIERS[message.lo % CARRIERS.length]
  builder.add(
    {
      tenantId: 1,
      messageHashLo: message.lo,
      messageHashHi: message.hi,
      userHashLo: user.lo,
      userHashHi: user.hi,
      timestampMs: nowMs,
      receivedAtMs: nowMs,
      type: 0,
      flags: 0,
      messageId,
      event,
      userId,
      anonymousId: null,
      properties: `{"carrier":"${carrier}","origin":"SFO","destination":"JFK","delay":${message.hi % 300},"fare":${message.lo % 1000}.5}`,
      context: '{"ip":"10.0.0.1","locale":"en-US","library":{"name":"bench","version":"1.0.0"}}',
    },
    seriesKey({ tenantId: 1, event, property: null, dimensions: [], values: [] }),
  )
  builder.tally(1, 1, 0)
  return appended
}
