import {
  type RedisClusterOptions,
  type RedisClusterStack,
  type RedisOptions,
  type RedisServer,
  type SentinelOptions,
  type SentinelStack,
  startRedis,
  startRedisCluster,
  startSentinel,
  waitFor,
} from '@millrace/local-stack'
import { Redis } from 'ioredis'
import { hold } from './leaks.js'
import { askForServer } from './server-broker.js'

export interface TestRedis {
  /** With the number of a logical database that no other test of this run uses: redis://127.0.0.1:20000/17. */
  readonly url: string
  /**
   * Empties it.
   * @throws when clients are still connected to it after `graceMs` (default 10,000), naming what they did last.
   */
  release(graceMs?: number): Promise<void>
}

/**
 * An empty logical database on the Redis server of this test run. Keys are isolated; pub/sub channels and server-wide
 * commands (CONFIG, FLUSHALL, INFO) are not: a test that needs those takes `startTestRedisServer`.
 */
export async function createTestRedis(): Promise<TestRedis> {
  const server = await askForServer('redis')
  const url = new URL(server.url)
  url.pathname = `/${server.grant}`
  return {
    url: url.href,
    release: hold(`redis database ${server.grant}`, (graceMs?: number) => empty(url.href, server.grant, graceMs)),
  }
}

/** A Redis server for this test alone, to configure, kill, pause and restart; `stop` gives it back. */
export async function startTestRedisServer(options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options)
  const stop = hold(`redis server on port ${server.port}`, server.stop)
  return withStop(server, stop)
}

/** A primary, replicas and sentinels for this test alone; `stop` gives them back. */
export async function startTestSentinel(options: SentinelOptions = {}): Promise<SentinelStack> {
  const stack = await startSentinel(options)
  return withStop(stack, hold('redis with sentinels', stack.stop))
}

/** A Redis Cluster for this test alone; `stop` gives it back. */
export async function startTestRedisCluster(options: RedisClusterOptions = {}): Promise<RedisClusterStack> {
  const stack = await startRedisCluster(options)
  return withStop(stack, hold('redis cluster', stack.stop))
}

/** Adds `stop` and keeps the getters of `server`, whose values a spread would copy once. */
export function withStop<T extends object>(server: T, stop: () => Promise<void>): T {
  return Object.create(server, { stop: { value: stop, enumerable: true } }) as T
}

async function empty(url: string, database: number, graceMs = 10_000): Promise<void> {
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 1 })
  await client.connect()
  try {
    let open: string[] = []
    const own = await client.client('ID')
    const isUnused = async () => {
      const lines = String(await client.client('LIST')).split('\n')
      open = lines.filter((line) => line.includes(` db=${database} `) && !line.startsWith(`id=${own} `))
      return open.length === 0
    }
    await waitFor(isUnused, { deadlineMs: graceMs }).catch(() => {})
    await client.flushdb()
    if (open.length === 0) return
    const last = open.map((line) => / cmd=(\S+)/.exec(line)?.[1] ?? '?').join(', ')
    throw new Error(`${open.length} clients of redis database ${database} were left open; their last commands: ${last}`)
  } finally {
    client.disconnect()
  }
}
