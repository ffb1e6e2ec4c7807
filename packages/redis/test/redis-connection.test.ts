import { describe, expect, it } from '@jest/globals'
import { createLogger, type RootLogger } from '@millrace/logger'
import { createMetrics, createRedisMetrics } from '@millrace/telemetry'
import {
  createTestRedis,
  freePort,
  startTestRedisCluster,
  startTestRedisServer,
  startTestSentinel,
  waitFor,
} from '@millrace/testing'
import { openRedis } from '../src/open-redis.js'
import type { RedisConfig } from '../src/redis-config.js'
import type { RedisConnection } from '../src/redis-connection.js'
import { defineScript } from '../src/redis-script.js'

interface Fixture {
  readonly connection: RedisConnection
  readonly metrics: ReturnType<typeof createRedisMetrics>
  lines(): string[]
}

async function using(config: Omit<RedisConfig, 'name'>, work: (fixture: Fixture) => Promise<void>): Promise<void> {
  let text = ''
  const logger: RootLogger = createLogger({
    service: 'test',
    level: 'debug',
    write: (lines) => {
      text += lines
    },
  })
  const metrics = createRedisMetrics(createMetrics({ service: 'test', hasProcessMetrics: false }))
  const connection = await openRedis({ name: 'test', ...config }, { logger, metrics })
  const lines = () => {
    logger.flush()
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { message: string }).message)
  }
  try {
    await work({ connection, metrics, lines })
  } finally {
    await connection.close()
    logger.close()
  }
}

describe('a connection to a single server', () => {
  it('answers commands, counts them and logs nothing while all is well', async () => {
    const redis = await createTestRedis()
    await using({ url: redis.url }, async ({ connection, metrics, lines }) => {
      await connection.client.set('a', '1')
      await connection.client.pipeline().get('a').incr('a').exec()
      await expect(connection.client.lpush('a', 'x')).rejects.toThrow('WRONGTYPE')
      expect(connection).toMatchObject({ mode: 'single', isReady: true, nodeCount: 1 })
      expect(await connection.ping()).toBeGreaterThan(0)
      expect(await connection.info('server')).toHaveProperty('redis_version')
      const labels = { connection: 'test' }
      expect(metrics.commands.with(labels).value).toBeGreaterThanOrEqual(5)
      expect(metrics.errors.with(labels).value).toBe(1)
      expect(metrics.up.with(labels).value).toBe(1)
      expect(lines()).toEqual([])
    })
    await redis.release()
  })

  it.each([
    ['TCP', 'url'],
    ['a Unix socket', 'localUrl'],
  ] as const)(
    'over %s rejects commands under way when the server dies, logs the loss once and reconnects',
    async (_, way) => {
      const server = await startTestRedisServer()
      await using({ url: server[way] }, async ({ connection, lines }) => {
        const blocking = await connection.duplicate({ name: 'blocking', blocking: true })
        const underWay = blocking.client.xread('BLOCK', 60_000, 'STREAMS', 's', '$').then(
          () => 'answered',
          () => 'rejected',
        )
        await waitFor(async () => (await connection.info('clients')).blocked_clients === '1')
        await server.kill()
        expect(await underWay).toBe('rejected')
        await waitFor(() => !connection.isReady)
        await expect(connection.client.set('a', '1')).rejects.toThrow()
        await expect(connection.check()).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', retryable: true })
        await server.restart()
        await waitFor(() => connection.isReady && blocking.isReady)
        await connection.check()
        await connection.client.set('a', '2')
        expect(lines().filter((line) => line === 'the connection to redis was lost')).toHaveLength(2)
        expect(lines().filter((line) => line === 'redis is reachable again')).toHaveLength(2)
        await blocking.close()
      })
      await server.stop()
    },
  )

  it('reconnects even after ioredis has given up, as it does when it is disconnected while connecting', async () => {
    const redis = await createTestRedis()
    await using({ url: redis.url }, async ({ connection }) => {
      const ended = new Promise((resolve) => connection.client.once('end', () => resolve('ended')))
      connection.client.once('connecting', () => connection.client.disconnect(true))
      connection.client.disconnect(true)
      await ended
      await waitFor(() => connection.isReady)
      expect(await connection.client.set('a', '1')).toBe('OK')
    })
    await redis.release()
  })

  it('rejects a command that a hung server does not answer in time', async () => {
    const server = await startTestRedisServer()
    await using({ url: server.url, commandTimeoutMs: 500 }, async ({ connection }) => {
      await server.pause()
      await expect(connection.check()).rejects.toMatchObject({ code: 'REDIS_TIMEOUT', retryable: true })
      await server.resume()
      await waitFor(() =>
        connection.check().then(
          () => true,
          () => false,
        ),
      )
    })
    await server.stop()
  })

  it('fails in time and with the reason when the server cannot be reached', async () => {
    const port = await freePort()
    const open = using({ url: `redis://127.0.0.1:${port}`, connectTimeoutMs: 2000 }, async () => undefined)
    await expect(open).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  it('does not wait for a server that starts later when it is opened lazily', async () => {
    const server = await startTestRedisServer()
    await server.kill()
    await using({ url: server.url, isLazy: true }, async ({ connection }) => {
      expect(connection.isReady).toBe(false)
      await server.restart()
      await waitFor(() => connection.isReady)
    })
    await server.stop()
  })

  it('runs a script by its digest, also when the server does not know it or has forgotten it', async () => {
    const redis = await createTestRedis()
    const script = defineScript(
      'add',
      '-- KEYS: 1 counter. ARGV: 1 amount. Returns the sum.\nreturn redis.call("incrby", KEYS[1], ARGV[1])',
    )
    await using({ url: redis.url }, async ({ connection }) => {
      expect(await script.run(connection.client, ['n'], [2])).toBe(2)
      await connection.client.script('FLUSH')
      expect(await script.run(connection.client, ['n'], [3])).toBe(5)
    })
    await redis.release()
  })
})

describe('a connection through Sentinel', () => {
  it('follows a failover to the new primary', async () => {
    const stack = await startTestSentinel()
    const hosts = stack.sentinels.map((sentinel) => `127.0.0.1:${sentinel.port}`)
    await using(
      { url: 'redis://sentinel', sentinelHosts: hosts, masterName: stack.masterName },
      async ({ connection }) => {
        expect(connection.mode).toBe('sentinel')
        await connection.client.set('before', '1')
        await waitFor(async () => (await connection.client.wait(1, 1000)) >= 1)
        await (await stack.primary()).kill()
        // A sentinel that the machine kept from running for 2 s does nothing for 30 s (its tilt mode).
        await waitFor(() => connection.client.set('after', '1'), { deadlineMs: 180_000, what: 'the failover' })
        expect(await connection.client.get('after')).toBe('1')
      },
    )
    await stack.stop()
  })
})

describe('a connection to a Cluster', () => {
  it('reaches keys on all nodes and runs scripts on keys with one hash tag', async () => {
    const cluster = await startTestRedisCluster()
    const url = `redis://127.0.0.1:${cluster.nodes[0]?.port}`
    await using({ url, clusterEnabled: true }, async ({ connection }) => {
      expect(connection.mode).toBe('cluster')
      expect(connection.nodeCount).toBeGreaterThanOrEqual(3)
      await Promise.all(Array.from({ length: 50 }, (_, i) => connection.client.set(`key:${i}`, String(i))))
      expect(await connection.client.get('key:49')).toBe('49')
      const script = defineScript('both', 'return redis.call("mset", KEYS[1], "1", KEYS[2], "2")')
      expect(await script.run(connection.client, ['{p}:a', '{p}:b'], [])).toBe('OK')
      expect(await connection.info('server')).toHaveProperty('redis_mode', 'cluster')
      await connection.check()
    })
    await cluster.stop()
  })
})
