import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { streamTopic } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import {
  BEGINNING,
  type Consumer,
  openProducer,
  openStreamDriver,
  runConsumer,
  type StreamDriver,
  type StreamReader,
} from '@millrace/streams'
import { findTestKafka, startTestKafkaCluster, waitFor, within } from '@millrace/testing'
import kafkajs, { type Admin } from 'kafkajs'
import { openEffects, StoringHandler } from './effects.js'
import { LinesBuilder } from './lines-builder.js'

const describeWithKafka =
  typeof findTestKafka('the Kafka driver on three brokers') === 'string' ? describe.skip : describe
const LIMITS = { framesMax: 1000, bytesMax: 16 * 1024 * 1024, blockMs: 200 }
const ELECTED = { deadlineMs: 120_000 }
const PARTITIONS = 3
const BOUNDED_MS = 8_000

describeWithKafka('the Kafka driver on three brokers', () => {
  let cluster: Awaited<ReturnType<typeof startTestKafkaCluster>>
  let admin: Admin
  let driver: StreamDriver
  let reader: StreamReader
  let stream: string
  let streams = 0

  beforeAll(async () => {
    cluster = await startTestKafkaCluster()
    const brokers = cluster.brokers.split(',')
    admin = new kafkajs.Kafka({ brokers, clientId: 'peer', logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin.disconnect()
    await cluster.stop()
  })
  beforeEach(async () => {
    driver = await openStreamDriver(
      { STREAM_DRIVER: 'kafka', KAFKA_BROKERS: cluster.brokers.split(','), KAFKA_REPLICATION_FACTOR: 3 },
      { redis: undefined, logger: silentLogger },
    )
    stream = `cluster-${++streams}`
    reader = await driver.openReader(stream)
  })
  afterEach(async () => {
    await driver.close()
  })

  const leaderOf = async (partition: number) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [streamTopic(stream)] })
    const leader = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)?.leader
    return cluster.nodes.find(({ nodeId }) => nodeId === leader) as (typeof cluster.nodes)[number]
  }
  /** Sends one frame to every partition until each is held, as a producer does, and returns the longest time of one call. */
  const appendToAll = async (text: string) => {
    const waiting = new Set(Array.from({ length: PARTITIONS }, (_, partition) => partition))
    await waitFor(async () => {
      const frames = [...waiting].map((partition) => ({ partition, frame: Buffer.from(text) }))
      const results = await within(BOUNDED_MS, driver.append(stream, frames))
      results.forEach(({ kind }, index) => {
        if (kind === 'held') waiting.delete(frames[index]?.partition as number)
      })
      return waiting.size === 0
    }, ELECTED)
  }
  /** Reads until each partition has returned the text, and returns all texts by partition without repeats. */
  const readUntil = async (text: string) => {
    const seen = Array.from({ length: PARTITIONS }, () => new Set<string>())
    await waitFor(async () => {
      const frames = await within(BOUNDED_MS, reader.read(LIMITS)).catch(() => [])
      for (const { partition, bytes } of frames) seen[partition]?.add(bytes.toString())
      return seen.every((texts) => texts.has(text))
    }, ELECTED)
    return seen.map((texts) => [...texts])
  }
  const seekAll = () => {
    for (let partition = 0; partition < PARTITIONS; partition++) reader.seek(partition, BEGINNING)
  }

  it.each([['killed'], ['frozen']] as const)(
    'appends and reads every frame while the leader of a partition is %s: another broker takes over',
    async (fault) => {
      await driver.prepare(stream, PARTITIONS)
      seekAll()
      await appendToAll('before')
      const leader = await leaderOf(0)
      if (fault === 'killed') await leader.kill()
      else await leader.pause()
      try {
        await appendToAll('during')
        await readUntil('during')
      } finally {
        if (fault === 'killed') await leader.restart()
        else await leader.resume()
      }
      await appendToAll('after')
      seekAll()
      const wanted = Array.from({ length: PARTITIONS }, () => ['before', 'during', 'after'])
      expect(await readUntil('after')).toEqual(wanted)
    },
  )

  it('describes the cluster: a broker that is killed or hangs is missing, and when all hang the description fails in bounded time', async () => {
    await driver.prepare(stream, PARTITIONS)
    const describeCluster = () => within(BOUNDED_MS, driver.describeCluster?.(stream))
    const eventually = (expected: object, what: string) =>
      waitFor(
        async () => {
          const found = await describeCluster().catch(() => undefined)
          return JSON.stringify({ ...found, ...expected }) === JSON.stringify(found)
        },
        { ...ELECTED, what },
      )
    const partitions = { total: PARTITIONS, underReplicated: 0, belowMinInsync: 0, offline: 0 }
    const whole = { missingBrokers: [], partitions, problems: [] }
    await eventually(whole, 'a whole cluster')
    for (const [index, node] of cluster.nodes.slice(0, 2).entries()) {
      if (index === 0) await node.kill()
      else await node.pause()
      const lacking = { missingBrokers: [node.nodeId], partitions: { ...partitions, underReplicated: PARTITIONS } }
      await eventually(lacking, `a cluster without ${node.name}`)
      if (index === 0) await node.restart()
      else await node.resume()
      await eventually(whole, `a cluster with ${node.name} again`)
    }
    for (const node of cluster.nodes) await node.pause()
    await expect(describeCluster()).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
    for (const node of cluster.nodes) await node.resume()
    await eventually(whole, 'a cluster that goes on')
  })

  it('says that a frame was not stored while too few replicas are in sync', async () => {
    const [first, second] = cluster.nodes.map(({ nodeId }) => nodeId) as [number, number]
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: streamTopic(stream),
          replicaAssignment: [{ partition: 0, replicas: [first, second] }],
          configEntries: [{ name: 'min.insync.replicas', value: '2' }],
        },
      ],
    })
    const append = async () => (await driver.append(stream, [{ partition: 0, frame: Buffer.from('a') }]))[0]
    await waitFor(async () => (await append())?.kind === 'held')
    await cluster.nodes[1]?.pause()
    try {
      await waitFor(async () => {
        const result = await append()
        return (
          result?.kind === 'unavailable' && !result.isAmbiguous && /NOT_ENOUGH_REPLICAS /.test(result.cause.message)
        )
      }, ELECTED)
    } finally {
      await cluster.nodes[1]?.resume()
    }
    await waitFor(async () => (await append())?.kind === 'held', ELECTED)
  })

  it('serves a consumer the partitions that have leaders while the only replica of another is down, and that one afterwards', async () => {
    const replicaAssignment = cluster.nodes.map(({ nodeId }, partition) => ({ partition, replicas: [nodeId] }))
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic: streamTopic(stream), replicaAssignment }] })
    const single = await openStreamDriver(
      { STREAM_DRIVER: 'kafka', KAFKA_BROKERS: cluster.brokers.split(','), KAFKA_REPLICATION_FACTOR: 1 },
      { redis: undefined, logger: silentLogger },
    )
    const effects = await openEffects()
    const all = [0, 1, 2]
    const described = async () => (await single.describe(stream, all)).map(({ partition }) => partition)
    const producer = await openProducer(
      { stream, partitions: PARTITIONS, createBuilder: () => new LinesBuilder(), lingerMs: 1 },
      { driver: single, logger: silentLogger },
    )
    for (const partition of all) {
      const { builder, appended } = producer.open(partition)
      builder.add(`to ${partition}`)
      await appended
    }
    expect(await described()).toEqual(all)
    await cluster.nodes[0]?.kill()
    let consumer: Consumer | undefined
    try {
      expect(await described()).toEqual([1, 2])
      await expect(single.describe(stream, [0])).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
      const { database } = effects
      const handler = new StoringHandler()
      const settings = { partitions: PARTITIONS, leaseMs: 6000, heartbeatMs: 500, blockMs: 500 }
      consumer = await runConsumer(
        { driver: single, stream, group: 'store', member: 'a', database, handler, settings },
        { logger: silentLogger },
      )
      await effects.untilCount(2)
      expect(consumer.state().partitions).toEqual([1, 2])
      await cluster.nodes[0]?.restart()
      await effects.untilCount(3)
      expect(await effects.lines()).toEqual(new Map(all.map((partition) => [partition, [`to ${partition}`]])))
      expect(await described()).toEqual(all)
    } finally {
      if ((await described().catch(() => [])).length < PARTITIONS) await cluster.nodes[0]?.restart()
      await consumer?.stop()
      await producer.close()
      await single.close()
      await effects.release()
    }
  })
})
