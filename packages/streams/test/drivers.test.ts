import { afterAll, beforeAll, describe } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { createMemoryDriver, createRedisDriver } from '@millrace/streams'
import { describeDriver } from '@millrace/streams/testing'
import { startTestRedisCluster, startTestRedisServer } from '@millrace/testing'

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
