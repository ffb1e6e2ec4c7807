import { afterAll, beforeAll, describe } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { createMemoryDriver, createRedisDriver, openStreamDriver } from '@millrace/streams'
import { describeDriver } from '@millrace/streams/testing'
import { findTestKafka, startTestKafkaCluster, startTestRedisCluster, startTestRedisServer } from '@millrace/testing'

describeDriver('memory', async () => {
  const driver = createMemoryDriver()
  return {
    driver,
    takeDown: async () => {
      driver.isUp = false
    },
    bringUp: async () => {
      driver.isUp = true
    },
    release: async () => undefined,
  }
})

describe('a single server', () => {
  let server: Awaited<ReturnType<typeof startTestRedisServer>>
  beforeAll(async () => {
    server = await startTestRedisServer()
  })
  afterAll(() => server.stop())

  describeDriver('Redis', async () => {
    const redis = await openRedis({ url: server.url, name: 'stream' }, { logger: silentLogger })
    return {
      driver: createRedisDriver({}, { redis }),
      takeDown: () => server.kill(),
      bringUp: () => server.restart(),
      release: async () => {
        await redis.close()
        await server.command('FLUSHALL')
      },
    }
  })
})

describe('three masters', () => {
  let cluster: Awaited<ReturnType<typeof startTestRedisCluster>>
  beforeAll(async () => {
    cluster = await startTestRedisCluster()
  })
  afterAll(() => cluster.stop())

  describeDriver('Redis Cluster', async () => {
    const url = cluster.nodes.map((node) => node.url).join(',')
    const redis = await openRedis({ url, name: 'stream', clusterEnabled: true }, { logger: silentLogger })
    return {
      driver: createRedisDriver({}, { redis }),
      takeDown: async () => {
        for (const node of cluster.nodes) await node.kill()
      },
      bringUp: async () => {
        for (const node of cluster.nodes) await node.restart()
      },
      release: async () => {
        await redis.close()
        for (const node of cluster.nodes) await node.command('FLUSHALL')
      },
    }
  })
})

const describeWithKafka =
  typeof findTestKafka('the conformance of the Kafka driver') === 'string' ? describe.skip : describe

/** Each test has a topic of its own. */
let streams = 0

function openKafka(brokers: string) {
  const settings = { STREAM_DRIVER: 'kafka', KAFKA_BROKERS: brokers.split(','), KAFKA_REPLICATION_FACTOR: 3 } as const
  return openStreamDriver(settings, { redis: undefined, logger: silentLogger })
}

describeWithKafka('three brokers', () => {
  let cluster: Awaited<ReturnType<typeof startTestKafkaCluster>>
  beforeAll(async () => {
    // No test here needs another leader: on a busy machine a broker that is late for a second must not lose its partitions.
    const settings = { 'broker.session.timeout.ms': '6000', 'controller.quorum.fetch.timeout.ms': '6000' }
    cluster = await startTestKafkaCluster({ settings })
  })
  afterAll(() => cluster.stop())

  describeDriver('Kafka cluster', async () => ({
    driver: await openKafka(cluster.brokers),
    stream: `conformance-${++streams}`,
    // All hang. A single broker is killed (kafka.test.ts), and so is one of three (kafka-cluster.test.ts).
    takeDown: async () => {
      await Promise.all(cluster.nodes.map((node) => node.pause()))
    },
    bringUp: async () => {
      await Promise.all(cluster.nodes.map((node) => node.resume()))
    },
    release: async () => undefined,
  }))
})
