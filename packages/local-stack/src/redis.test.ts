import { afterEach, expect, test } from '@jest/globals'
import { isAlive } from '@millrace/process-lock'
import { type RedisOptions, type RedisServer, startRedis } from './redis.js'
import { type RedisClusterStack, startRedisCluster } from './redis-cluster.js'
import { type SentinelStack, startSentinel } from './redis-sentinel.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { waitFor } from './wait.js'

let started: RedisServer | SentinelStack | RedisClusterStack | undefined

afterEach(async () => {
  await started?.stop()
  started = undefined
})

async function start(options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options)
  started = server
  return server
}

test('Redis keeps every acknowledged write after SIGKILL', async () => {
  const server = await start()
  await server.command('SET', 'key', 'kept')
  await server.kill()
  await server.restart()
  expect(await server.command('GET', 'key')).toBe('kept')
  expect(await server.command('CONFIG', 'GET', 'appendfsync')).toEqual(['appendfsync', 'always'])
  expect(await server.command('CONFIG', 'GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
})

test('a Redis that is left over on a data directory is ended before another one starts on it', async () => {
  const dir = temporaryDirectory('millrace-leftover-')
  const leftover = await startRedis({ dir })
  await leftover.command('SET', 'key', 'kept')
  const server = await start({ dir })
  expect(isAlive(leftover.pid)).toBe(false)
  expect(await server.command('GET', 'key')).toBe('kept')
  await server.stop()
  removeTemporary(dir)
})

test('the error contains the reason when Redis dies at start', async () => {
  await expect(start({ settings: { maxmemory: 'much' } })).rejects.toThrow(/ended at start[\s\S]*maxmemory/)
})

test('sentinels promote a replica when the primary is killed', async () => {
  const stack = await startSentinel()
  started = stack
  const before = await stack.primary()
  await before.kill()
  const other = async () => {
    const primary = await stack.primary()
    return primary !== before && primary
  }
  const after = await waitFor(other, { deadlineMs: 180_000, what: 'the failover' })
  expect(await after.command('SET', 'key', 'value')).toBe('OK')
})

test('a Redis Cluster serves all slots, and a node keeps its keys after it was killed', async () => {
  const cluster = await startRedisCluster()
  started = cluster
  const node = await cluster.masterOf('key')
  expect(await node.command('SET', 'key', 'kept')).toBe('OK')
  await node.kill()
  await node.restart()
  await waitFor(async () => (await node.command('GET', 'key')) === 'kept')
})
