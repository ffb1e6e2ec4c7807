import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import {
  type Consumer,
  type ConsumerSettings,
  createMemoryDriver,
  type MemoryDriver,
  openProducer,
  type Producer,
  runConsumer,
  type StreamReader,
} from '@millrace/streams'
import { waitFor } from '@millrace/testing'
import { streamErrors } from '../src/errors.js'
import { type Effects, openEffects, StoringHandler } from './effects.js'
import { LinesBuilder } from './lines-builder.js'

const QUICK: Partial<ConsumerSettings> = {
  partitions: 4,
  leaseMs: 15_000,
  heartbeatMs: 100,
  mirrorMs: 50,
  maintenanceMs: 100,
  idleCommitMs: 50,
  retryFirstMs: 10,
  retryCapMs: 100,
  blockMs: 200,
  stallAfterMs: 3_600_000,
}

describe.each([['leases'], ['broker']] as const)(
  'a consumer group with a partition without a leader (%s)',
  (assignment) => {
    let effects: Effects
    let driver: MemoryDriver
    let producer: Producer<LinesBuilder>
    let consumers: Consumer[]
    let openReader: jest.SpiedFunction<MemoryDriver['openReader']>

    const openLines = () =>
      openProducer(
        { stream: 'lines', partitions: 4, createBuilder: () => new LinesBuilder(), lingerMs: 1 },
        { driver, logger: silentLogger },
      )

    beforeEach(async () => {
      effects = await openEffects()
      driver = createMemoryDriver({ assignment })
      producer = await openLines()
      consumers = []
      openReader = jest.spyOn(driver, 'openReader')
    })
    afterEach(async () => {
      driver.withoutLeader.clear()
      for (const consumer of consumers) await consumer.stop()
      await producer.close()
      await driver.close()
      await effects.release()
    })

    const start = async (handler: StoringHandler, member = 'a', settings: Partial<ConsumerSettings> = {}) => {
      const given = { ...QUICK, ...settings }
      const { database } = effects
      const consumer = await runConsumer(
        { driver, stream: 'lines', group: 'store', member, database, handler, settings: given },
        { logger: silentLogger },
      )
      consumers.push(consumer)
      return consumer
    }
    const send = async (partition: number, line: string, to = producer) => {
      const { builder, appended } = to.open(partition)
      builder.add(line)
      await appended
    }
    const untilHeld = (consumer: Consumer, partitions: number[]) =>
      waitFor(async () => consumer.state().partitions.join() === partitions.join(), {
        what: `partitions ${partitions.join()}`,
      })
    /** Loses the two newest frames of partition 2, and appends `line`, which gets a position that was read already. */
    const replaceNewest = async (line: string) => {
      driver.log('lines', 2).loseEnd(2)
      const leaderless = driver.withoutLeader.delete(2)
      const other = await openLines()
      await send(2, line, other)
      await other.close()
      if (leaderless) driver.withoutLeader.add(2)
    }

    it('takes and reads the other partitions, and that one as soon as it has a leader', async () => {
      for (const partition of [0, 1, 2, 3]) await send(partition, `to ${partition}`)
      driver.withoutLeader.add(2)
      const consumer = await start(new StoringHandler())
      await effects.untilCount(3)
      expect(consumer.state().partitions).toEqual([0, 1, 3])
      driver.withoutLeader.clear()
      await effects.untilCount(4)
      expect(await effects.lines()).toEqual(new Map([0, 1, 2, 3].map((partition) => [partition, [`to ${partition}`]])))
      expect(consumer.state().partitions).toHaveLength(4)
    })

    it('reads a partition that it has taken without a leader from its start if the newest frames are lost then', async () => {
      const first = await start(new StoringHandler())
      for (const line of ['a', 'b', 'c']) await send(2, line)
      await effects.untilCount(3)
      await first.stop()
      driver.withoutLeader.add(2)
      await replaceNewest('d')
      const second = await start(new StoringHandler(), 'b')
      await untilHeld(second, [0, 1, 3])
      driver.withoutLeader.clear()
      await effects.untilCount(4)
      expect(await effects.lines()).toEqual(new Map([[2, ['a', 'b', 'c', 'd']]]))
    })

    it('keeps its partitions when another one that it takes has no leader', async () => {
      const handler = new StoringHandler()
      const second = await start(new StoringHandler(), 'b', { partitions: 2 })
      await untilHeld(second, [0, 1])
      const first = await start(handler, 'a', { partitions: 2 })
      await waitFor(async () => first.state().partitions.length === 1 && second.state().partitions.length === 1)
      const [moved] = second.state().partitions as [number]
      driver.withoutLeader.add(moved)
      await second.stop()
      await send(1 - moved, 'meanwhile')
      await effects.untilCount(1)
      await waitFor(async () => {
        const { rows } = await effects.database.query<{ owners: number }>(
          "select count(*)::int as owners from stream_partitions where owner like 'a#%'",
        )
        return rows[0]?.owners === 2
      })
      driver.withoutLeader.clear()
      await untilHeld(first, [0, 1])
      expect(handler.revocations).toEqual([])
    })

    it('shows the positions of the other partitions and trims them', async () => {
      const consumer = await start(new StoringHandler(), 'a', { windowMs: 0, windowRecords: 1 })
      await untilHeld(consumer, [0, 1, 2, 3])
      driver.withoutLeader.add(0)
      for (let i = 0; i < 20; i++) await send(1, `${i}`)
      await waitFor(async () => driver.mirrored.get('lines/store/1')?.position === '20', { what: 'the position' })
      await waitFor(async () => driver.log('lines', 1).length <= 1, { what: 'trimmed frames' })
    })

    describe('after reads have failed', () => {
      it('reads the other partitions on, and that one when it has a leader, without losing its state', async () => {
        const handler = new StoringHandler()
        await start(handler)
        await send(2, 'a')
        await effects.untilCount(1)
        await failReads()
        await send(0, 'b')
        await effects.untilCount(2)
        driver.withoutLeader.clear()
        await send(2, 'c')
        await effects.untilCount(3)
        expect(await effects.lines()).toEqual(
          new Map([
            [0, ['b']],
            [2, ['a', 'c']],
          ]),
        )
        expect(handler.revocations).toEqual([])
      })

      it('reads that partition from its start if its leader comes back without the newest frames', async () => {
        await start(new StoringHandler())
        for (const line of ['a', 'b', 'c']) await send(2, line)
        await effects.untilCount(3)
        await failReads()
        await send(0, 'meanwhile')
        await effects.untilCount(4)
        await replaceNewest('d')
        driver.withoutLeader.clear()
        await effects.untilCount(5)
        expect((await effects.lines()).get(2)).toEqual(['a', 'b', 'c', 'd'])
      })

      /** Ends when the reader knows that partition 2 has no leader. */
      async function failReads(): Promise<void> {
        const reader = (await openReader.mock.results[0]?.value) as StreamReader
        const remove = jest.spyOn(reader, 'remove')
        driver.withoutLeader.add(2)
        jest
          .spyOn(reader, 'read')
          .mockRejectedValueOnce(streamErrors.STREAM_UNAVAILABLE({ message: 'a broker is gone' }))
        await waitFor(async () => remove.mock.calls.some(([partition]) => partition === 2), {
          what: 'a partition less',
        })
      }
    })
  },
)
