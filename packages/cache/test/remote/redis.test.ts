import { afterAll, beforeAll } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createTestRedis, type TestRedis } from '@millrace/testing'
import { systemClock } from '../../src/clock.js'
import { RedisBus } from '../../src/redis/redis-bus.js'
import { RedisRemote } from '../../src/redis/redis-remote.js'
import { itKeepsTheContract } from './remote-conformance.js'

let server: TestRedis
let redis: RedisConnection
let bus: RedisBus
let namespaces = 0

beforeAll(async () => {
  server = await createTestRedis()
  redis = await openRedis({ name: 'cache', url: server.url }, { logger: silentLogger })
  bus = new RedisBus('millrace:cache:test', redis, silentLogger)
})

afterAll(async () => {
  await bus.close()
  await redis.close()
  await server.release()
})

itKeepsTheContract('redis', async () => {
  const options = { cache: 'test', namespace: `n${++namespaces}`, timeoutMs: 60_000 }
  return new RedisRemote(options, { redis, bus, clock: systemClock })
})
