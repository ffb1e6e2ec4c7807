import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import {
  type CommittedNotice,
  type Consumer,
  type ConsumerSettings,
  createMemoryDriver,
  type MemoryDriver,
  openProducer,
  type Producer,
  runConsumer,
} from '@millrace/streams'
import { waitFor } from '@millrace/testing'
import { type Effects, openEffects, StoringHandler } from './effects.js'
import { LinesBuilder } from './lines-builder.js'

const QUICK: Partial<ConsumerSettings> = {
  partitions: 4, leaseMs: 900, heartbeatMs: 100, mirrorMs: 50, maintenanceMs: 100, idleCommitMs: 50, retryFirstMs: 10, retryCapMs: 100, blockMs: 500,
}

describe('a consumer group', () => {
  let effects: Effects
  let driver: MemoryDriver
  let producer: Producer<LinesBuilder>
  let consumers: Consumer[]
  const notices: CommittedNotice[] = []

  beforeEach(async () => {
    effects = await openEffects()
    driver = createMemoryDriver()
    producer = await openProducer({ stream: 'lines', partitions: 4, createBuilder: () => new LinesBuilder(), lingerMs: 1 }, { driver, logger: silentLogger })
    consumers = []
    notices.length = 0
  })
  afterEach(async () => {
    for (const consumer of consumers) await consumer.stop()
    await producer.close()
    await effects.release()
  })

  const start = async (handler: StoringHandler, member = 'a', settings: Partial<ConsumerSettings> = {}) => {
    const consumer = await runConsumer(
      { driver, stream: 'lines', group: 'store', member, database: effects.database, handler, settings: { ...QUICK, ...settings } },
      { logger: silentLogger, onCommitted: (given) => notices.push(...given) },
    )
    consumers.push(consumer)
    return consumer
  }
  const send = async (partition: number, ...lines: string[]) => {
    const { builder, appended } = producer.open(partition)
    for (const line of lines) builder.add(line)
    return await appended
  }

  it('stores every record once, in order within its partition', async () => {
    await start(new StoringHandler())
    const wanted = new Map<number, string[]>()
    for (let i = 0; i < 200; i++) {
      const partition = i % 4
      wanted.set(partition, [...(wanted.get(partition) ?? []), `${i}`])
      void send(partition, `${i}`)
      if (i % 10 === 0) await producer.flush()
    }
    await producer.flush()
    await effects.untilCount(200)
    expect(await effects.lines()).toEqual(wanted)
  })

  it('tells which sequences of which producer are committed', async () => {
    await start(new StoringHandler())
    const { sequence } = await send(2, 'a', 'b')
    await waitFor(async () => notices.length > 0, { deadlineMs: 10_000 })
    expect(notices).toEqual([{ stream: 'lines', partition: 2, producers: { [producer.id]: sequence } }])
  })
})
