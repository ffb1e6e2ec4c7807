import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { createTestRedis } from '@millrace/testing'
import { systemClock } from '../../src/clock.js'
import { RedisBus } from '../../src/redis/redis-bus.js'
import { RedisRemote } from '../../src/redis/redis-remote.js'
import { itKeepsTheContract } from './remote-conformance.js'

itKeepsTheContract('redis', async () => {
  const server = await createTestRedis()
  const redis = await openRedis({ name: 'cache', url: server.url }, { logger: silentLogger })
  const bus = new RedisBus('millrace:cache:test', redis)
  const options = { cache: 'test', namespace: 'test', timeoutMs: 60_000, openMs: 600_000 }
  return {
    remote: new RedisRemote(options, { redis, bus, clock: systemClock }),
    async close() {
      await bus.close()
      await redis.close()
      await server.release()
    },
  }
})
