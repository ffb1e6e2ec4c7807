import { openRedis } from '@millrace/redis'
import { silentLogger } from '@millrace/logger'
import { startTestRedisCluster, startTestRedisServer } from '@millrace/testing'
import { createMemoryDriver, createRedisDriver } from '@millrace/streams'
import { describeDriver } from '@millrace/streams/testing'

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

describeDriver('Redis', async () => {
  const server = await startTestRedisServer()
  const redis = await openRedis({ url: server.url, name: 'stream' }, { logger: silentLogger })
  return {
    driver: createRedisDriver({}, { redis }),
    takeDown: () => server.kill(),
    bringUp: () => server.restart(),
    release: async () => {
      await redis.close()
      await server.stop()
    },
  }
})
