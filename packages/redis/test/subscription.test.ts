import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createLogger, type RootLogger } from '@millrace/logger'
import { startTestRedisCluster, startTestRedisServer, waitFor } from '@millrace/testing'
import { openRedis } from '../src/open-redis.js'
import type { RedisConfig } from '../src/redis-config.js'
import type { RedisConnection, RedisSubscription, SubscribeOptions } from '../src/redis-connection.js'

/** What a subscription has reported, in order: 'gap', or a channel and a message. */
interface Listener {
  readonly events: string[]
  readonly gaps: () => number
  readonly subscription: RedisSubscription
}

const AT_ONCE = { deadlineMs: 5_000 }

describe('a subscription', () => {
  let server: Awaited<ReturnType<typeof startTestRedisServer>>
  let redis: RedisConnection
  let logger: RootLogger
  let log: string[]
  const open: (() => Promise<void>)[] = []

  beforeEach(async () => {
    log = []
    logger = createLogger({ service: 'test', write: (lines) => log.push(...lines.trim().split('\n')) })
    server = await startTestRedisServer()
    redis = await connect({ url: server.url })
  })
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close()
    await server.stop()
    logger.close()
  })

  const connect = async (config: Omit<RedisConfig, 'name'>): Promise<RedisConnection> => {
    const connection = await openRedis({ name: 'test', ...config }, { logger })
    open.push(() => connection.close())
    return connection
  }
  const subscribe = (connection: RedisConnection, options: SubscribeOptions = {}): Listener => {
    const events: string[] = []
    const subscription = connection.subscribe(
      ['news', 'weather'],
      (message, channel) => events.push(`${channel}: ${message}`),
      { onGap: () => events.push('gap'), ...options },
    )
    open.push(() => subscription.close())
    return { events, subscription, gaps: () => events.filter((event) => event === 'gap').length }
  }
  const expectEvents = ({ events }: Listener, expected: string[]) =>
    waitFor(() => events.length >= expected.length, AT_ONCE).then(() => expect(events).toEqual(expected))
  const subscriberAddresses = async (): Promise<string[]> => {
    const clients = String(await server.command('CLIENT', 'LIST', 'TYPE', 'pubsub'))
    return [...clients.matchAll(/ addr=(\S+)/g)].map(([, address]) => address as string)
  }
  const messages = (): string[] => {
    logger.flush()
    return log.map((line) => (JSON.parse(line) as { message: string }).message)
  }

  it('delivers every message that is published after it has reported its first gap, with the channel', async () => {
    const listener = subscribe(redis)
    await expectEvents(listener, ['gap'])
    await redis.client.publish('news', 'one')
    await redis.client.publish('weather', 'two')
    await redis.client.publish('sports', 'three')
    await expectEvents(listener, ['gap', 'news: one', 'weather: two'])
  })

  it('reports a gap after its connection was killed, and delivers again from then on', async () => {
    const listener = subscribe(redis)
    await expectEvents(listener, ['gap'])
    const [address = ''] = await subscriberAddresses()
    await server.command('CLIENT', 'KILL', 'ADDR', address)
    await expectEvents(listener, ['gap', 'gap'])
    await redis.client.publish('news', 'after')
    await expectEvents(listener, ['gap', 'gap', 'news: after'])
  })

  it('reports a gap after the server was restarted, and delivers again from then on', async () => {
    const listener = subscribe(redis)
    await expectEvents(listener, ['gap'])
    await server.kill()
    await server.restart()
    await expectEvents(listener, ['gap', 'gap'])
    await waitFor(() => redis.isReady, AT_ONCE)
    await redis.client.publish('news', 'after')
    await expectEvents(listener, ['gap', 'gap', 'news: after'])
  })

  it('begins as soon as a server that was down at first can be reached', async () => {
    await server.kill()
    const listener = subscribe(await connect({ url: server.url, isLazy: true }))
    await server.restart()
    await expectEvents(listener, ['gap'])
    await server.command('PUBLISH', 'news', 'first')
    await expectEvents(listener, ['gap', 'news: first'])
  })

  it('tries again while the server refuses it, and logs the refusal and its end once each', async () => {
    await server.command('ACL', 'SETUSER', 'reader', 'on', '>secret', '+@all', 'resetchannels')
    const reader = await connect({ url: server.url.replace('//', '//reader:secret@') })
    const listener = subscribe(reader)
    const refusals = async () =>
      String(await server.command('INFO', 'errorstats')).match(/errorstat_NOPERM:count=(\d+)/)?.[1]
    await waitFor(async () => Number(await refusals()) >= 3, AT_ONCE)
    expect(listener.events).toEqual([])
    await server.command('ACL', 'SETUSER', 'reader', 'allchannels')
    await expectEvents(listener, ['gap'])
    expect(messages()).toEqual([
      'redis refuses a subscription, which is tried again',
      'redis accepts the subscription again',
    ])
  })

  it('replaces a connection that no longer answers a PING, and reports the gap', async () => {
    const listener = subscribe(await connect({ url: server.url, commandTimeoutMs: 300 }), { pingEveryMs: 100 })
    await expectEvents(listener, ['gap'])
    await server.pause()
    await waitFor(() => messages().includes('the connection to redis was lost'), AT_ONCE)
    await server.resume()
    await waitFor(() => listener.gaps() >= 2, AT_ONCE)
    await server.command('PUBLISH', 'news', 'after')
    await waitFor(() => listener.events.at(-1) === 'news: after', AT_ONCE)
  })

  it('calls nothing once its closing has begun, and leaves no connection behind', async () => {
    const listener = subscribe(redis)
    await expectEvents(listener, ['gap'])
    const closed = listener.subscription.close()
    await server.command('PUBLISH', 'news', 'late')
    await closed
    await listener.subscription.close()
    await waitFor(async () => (await subscriberAddresses()).length === 0, AT_ONCE)
    expect(listener.events).toEqual(['gap'])
  })

  it('moves to another node of a Cluster when its node dies, and reports the gap', async () => {
    const cluster = await startTestRedisCluster()
    open.push(() => cluster.stop())
    const url = cluster.nodes.map((node) => node.url).join(',')
    const listener = subscribe(await connect({ url, clusterEnabled: true }))
    await expectEvents(listener, ['gap'])
    const [first, second] = cluster.nodes
    await second?.command('PUBLISH', 'news', 'from another node')
    await expectEvents(listener, ['gap', 'news: from another node'])
    await first?.kill()
    await waitFor(() => listener.gaps() === 2, AT_ONCE)
    await second?.command('PUBLISH', 'news', 'after')
    await waitFor(() => listener.events.at(-1) === 'news: after', AT_ONCE)
  })
})
