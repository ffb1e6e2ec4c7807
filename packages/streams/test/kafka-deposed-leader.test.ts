import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { streamTopic } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import type { StreamDriver } from '@millrace/streams'
import { findTestKafka, useTestKafka } from '@millrace/testing'
import { KafkajsAdmin } from '../src/drivers/kafka/kafkajs/admin.js'
import { BrokerNodes } from '../src/drivers/kafka/kafkajs/broker-nodes.js'
import { listOffsetsRequest } from '../src/drivers/kafka/kafkajs/requests.js'
import { openTestKafkaDriver } from './kafka-driver.js'

const describeWithKafka = typeof findTestKafka('a deposed leader') === 'string' ? describe.skip : describe
/** UNKNOWN_LEADER_EPOCH: the client knows of a later leader than the broker does. */
const UNKNOWN_LEADER_EPOCH = 75
const LATEST = -1

describeWithKafka('a broker that was deposed and does not know it yet', () => {
  let driver: StreamDriver
  let nodes: BrokerNodes
  let topic: string

  beforeAll(async () => {
    const { brokers, prefix } = await useTestKafka()
    driver = await openTestKafkaDriver(brokers, silentLogger)
    const stream = `${prefix}-deposed`
    topic = streamTopic(stream)
    await driver.prepare(stream, 1)
    const [stored] = await driver.append(stream, [{ partition: 0, frame: Buffer.from('a frame') }])
    expect(stored?.kind).toBe('held')
    const limits = { connectTimeoutMs: 10_000, metadataTimeoutMs: 10_000 }
    nodes = new BrokerNodes({ brokers: [brokers], clientId: 'test' }, limits)
  })
  afterAll(async () => {
    nodes.close()
    await driver.close()
  })

  it('refuses to say where a partition ends, since the client names the epoch of the later leader', async () => {
    const { partitions } = await nodes.topic(topic)
    const { leader, leaderEpoch } = partitions[0] as (typeof partitions)[number]
    const broker = await nodes.connect(leader)
    const ask = async (epoch: number) => {
      const request = listOffsetsRequest(topic, [0], { timestamp: LATEST, epochs: new Map([[0, epoch]]) })
      return (await nodes.send(broker, request, 10_000))[0]
    }
    expect(await ask(leaderEpoch)).toMatchObject({ errorCode: 0, offset: 1 })
    expect(await ask(leaderEpoch + 1)).toMatchObject({ errorCode: UNKNOWN_LEADER_EPOCH, offset: -1 })
  })

  it('is asked again only after the leaders were looked up again', async () => {
    const known = await nodes.topic(topic)
    const later = known.partitions.map((partition) => ({ ...partition, leaderEpoch: partition.leaderEpoch + 1 }))
    let isFirst = true
    const looked: string[] = []
    const stale = new Proxy(nodes, {
      get: (target, name) => {
        if (name === 'forget') looked.push('forgotten')
        if (name === 'topic' && isFirst) {
          isFirst = false
          return async () => ({ ...known, partitions: later })
        }
        const value = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    expect(await new KafkajsAdmin(stale).offsets(topic, [0])).toEqual([{ partition: 0, earliest: 0, latest: 1 }])
    expect(looked).toEqual(['forgotten'])
  })
})
