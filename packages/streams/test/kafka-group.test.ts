import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type Logger, silentLogger } from '@millrace/logger'
import { type BrokerMembership, openProducer, runConsumer, type StreamDriver } from '@millrace/streams'
import { findTestKafka, useTestKafka, waitFor } from '@millrace/testing'
import { openEffects, StoringHandler } from './effects.js'
import { openTestKafkaDriver } from './kafka-driver.js'
import { LinesBuilder } from './lines-builder.js'

const program = findTestKafka('the membership in Kafka groups')
const describeIfKafka = typeof program === 'string' ? describe.skip : describe

describeIfKafka('the membership in a Kafka group', () => {
  let brokers: string
  let stream: string
  let drivers: StreamDriver[]

  beforeEach(async () => {
    const kafka = await useTestKafka()
    brokers = kafka.brokers
    stream = `${kafka.prefix}-lines`
    drivers = []
  })
  afterEach(async () => {
    for (const driver of drivers) await driver.close()
  })

  /** A driver of its own for each member, as in processes. */
  const join = async (
    name: string,
    {
      instance,
      logger = silentLogger,
      topic = stream,
      partitions = 6,
    }: { instance?: string; logger?: Logger; topic?: string; partitions?: number } = {},
  ) => {
    const driver = await openTestKafkaDriver(brokers, logger)
    drivers.push(driver)
    await driver.prepare(topic, partitions)
    const held = new Set<number>()
    const events: string[] = []
    const membership: BrokerMembership = (await driver.joinGroup?.(
      { stream: topic, group: `${stream}-group`, member: name, instance, sessionTimeoutMs: 3000 },
      {
        assigned: (partitions) => {
          events.push(`+${partitions.join()}`)
          for (const partition of partitions) held.add(partition)
        },
        revoked: (partitions) => {
          events.push(`-${partitions.join()}`)
          for (const partition of partitions) held.delete(partition)
        },
      },
    )) as BrokerMembership
    return { driver, held, events, membership, sorted: () => [...held].sort((a, b) => a - b) }
  }

  it('shares the partitions evenly, and moves only those that have to move when a member joins or leaves', async () => {
    const one = await join('one')
    expect(one.sorted()).toEqual([0, 1, 2, 3, 4, 5])
    const two = await join('two')
    await waitFor(async () => one.held.size === 3 && two.held.size === 3)
    const kept = one.sorted()
    const three = await join('three')
    await waitFor(async () => one.held.size === 2 && two.held.size === 2 && three.held.size === 2)
    for (const partition of one.held) expect(kept).toContain(partition)
    await two.membership.leave()
    await waitFor(async () => one.held.size === 3 && three.held.size === 3)
    expect(new Set([...one.held, ...three.held])).toEqual(new Set([0, 1, 2, 3, 4, 5]))
    // Nothing that stayed was ever taken away.
    expect(one.events.filter((event) => event.startsWith('+'))).toHaveLength(2)
  })

  it('gives each member all partitions of its own stream when two streams have a group of the same name', async () => {
    const one = await join('one')
    const other = await join('other', { topic: `${stream}-other`, partitions: 4 })
    await waitFor(async () => one.held.size === 6 && other.held.size === 4)
    const third = await join('third', { topic: `${stream}-other`, partitions: 4 })
    await waitFor(async () => other.held.size === 2 && third.held.size === 2)
    await one.membership.leave()
    // Another member is the leader now.
    const again = await join('again')
    await waitFor(async () => again.held.size === 6)
    expect(new Set([...other.held, ...third.held])).toEqual(new Set([0, 1, 2, 3]))
  })

  it('gives a static member its partitions back after a restart, without any change for the others', async () => {
    const one = await join('one', { instance: 'consumer-1' })
    const two = await join('two', { instance: 'consumer-2' })
    await waitFor(async () => one.held.size === 3 && two.held.size === 3)
    const before = one.sorted()
    const seen = two.events.length
    await one.membership.leave()
    const again = await join('one again', { instance: 'consumer-1' })
    expect(again.sorted()).toEqual(before)
    expect(two.events).toHaveLength(seen)
  })

  it('shows the position and the lag of each partition to kafka-consumer-groups, also after the consumer has stopped', async () => {
    const driver = await openTestKafkaDriver(brokers, silentLogger)
    drivers.push(driver)
    await driver.prepare(stream, 2)
    const effects = await openEffects()
    const group = `${stream}-store`
    const send = async (partition: number, frames: number) => {
      const producer = await openProducer(
        { stream, partitions: 2, createBuilder: () => new LinesBuilder(), lingerMs: 0 },
        { driver, logger: silentLogger },
      )
      for (let i = 0; i < frames; i++) {
        const { builder, appended } = producer.open(partition)
        builder.add(`${i}`)
        await appended
      }
      await producer.close()
    }
    /** Partition, committed offset, end of the log and lag. */
    const described = async () => {
      if (typeof program === 'string') throw new Error(program)
      const tool = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
      const args = ['--bootstrap-server', brokers, '--describe', '--group', group]
      const { stdout: text } = await promisify(execFile)(program.java, ['-cp', `${program.libraries}/*`, tool, ...args])
      const rows = text.split('\n').map((line) => line.split(/\s+/))
      const own = rows.filter(([name]) => name === group).map((row) => row.slice(2, 6).map(Number))
      return own.sort(([a = 0], [b = 0]) => a - b)
    }
    const consumer = await runConsumer(
      {
        driver,
        stream,
        group,
        member: 'm',
        database: effects.database,
        handler: new StoringHandler(),
        settings: { partitions: 2, leaseMs: 3000 },
      },
      { logger: silentLogger },
    )
    await send(0, 5)
    await effects.untilCount(5)
    await waitFor(
      async () =>
        expect(await described()).toEqual([
          [0, 5, 5, 0],
          [1, 0, 0, 0],
        ]) === undefined,
      { deadlineMs: 60_000 },
    )
    await send(1, 2)
    await effects.untilCount(7)
    await consumer.stop()
    await send(1, 3)
    expect(await described()).toEqual([
      [0, 5, 5, 0],
      [1, 2, 5, 3],
    ])
    await effects.release()
  })

  it('lets the older one of two processes with the same instance name stay out of the group until the newer one has ended', async () => {
    const logged: string[] = []
    const logger: Logger = { ...silentLogger, child: () => logger, error: (message) => void logged.push(message) }
    const older = await join('older', { instance: 'consumer-1', logger })
    const newer = await join('newer', { instance: 'consumer-1' })
    await waitFor(async () => older.held.size === 0)
    expect(newer.sorted()).toEqual([0, 1, 2, 3, 4, 5])
    expect(logged).toEqual([expect.stringMatching(/same instance name/)])
    await newer.membership.leave()
    // A static member that has ended is removed when its session times out.
    await waitFor(async () => older.held.size === 6, { deadlineMs: 30_000 })
  })
})
