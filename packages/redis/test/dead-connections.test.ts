import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { startTcpProxy, startTestRedisServer, waitFor } from '@millrace/testing'
import { openRedis } from '../src/open-redis.js'
import type { RedisConnection } from '../src/redis-connection.js'

type Server = Awaited<ReturnType<typeof startTestRedisServer>>

/** Far above the time limit of a command in these tests (0.5 s; 5.5 s for a blocking one). */
const SOON_MS = 20_000

describe('a connection to Redis', () => {
  let server: Server
  beforeAll(async () => {
    server = await startTestRedisServer()
    await server.command('SET', 'a', '1')
  })
  afterAll(() => server.stop())

  const open = (url: string) =>
    openRedis({ url, name: 'test', commandTimeoutMs: 500, connectTimeoutMs: 30_000 }, { logger: silentLogger })
  const works = async ({ client }: RedisConnection) => (await client.get('a')) === '1'

  it.each(['swallow-requests', 'swallow-answers'] as const)(
    'heals by itself after the network fault %s, which nobody reports to it, and then gets the answers of its own commands',
    async (mode) => {
      const proxy = await startTcpProxy(server.port)
      const connection = await open(proxy.through(server.url))
      expect(await works(connection)).toBe(true)
      await proxy.set(mode)
      await expect(connection.client.get('a')).rejects.toThrow()
      await proxy.set('pass')
      await waitFor(() => works(connection), { deadlineMs: SOON_MS })
      for (let i = 0; i < 10; i++) expect(await connection.client.echo(String(i))).toBe(String(i))
      await connection.close()
      await proxy.stop()
    },
  )

  it('heals by itself when the fault falls into its handshake', async () => {
    const proxy = await startTcpProxy(server.port)
    await proxy.set('swallow-answers')
    const opening = open(proxy.through(server.url))
    await waitFor(() => proxy.torn > 0, { deadlineMs: SOON_MS })
    await proxy.set('pass')
    const connection = await opening
    expect(await works(connection)).toBe(true)
    await connection.close()
    await proxy.stop()
  })

  it('heals by itself when it waits for a blocking command', async () => {
    const proxy = await startTcpProxy(server.port)
    const connection = await open(proxy.through(server.url))
    const blocking = await connection.duplicate({ blocking: true })
    const read = () => blocking.client.xread('BLOCK', 200, 'STREAMS', 'none', '$')
    expect(await read()).toBeNull()
    await proxy.set('swallow-answers')
    const lost = read().catch(() => undefined)
    await waitFor(() => proxy.torn > 0, { deadlineMs: SOON_MS })
    await proxy.set('pass')
    await lost
    await waitFor(async () => (await read()) === null, { deadlineMs: SOON_MS })
    await blocking.close()
    await connection.close()
    await proxy.stop()
  })

  it('fails commands at once after the first ones while the server is frozen, and works soon after it goes on', async () => {
    const connection = await open(server.url)
    await server.pause()
    await expect(connection.client.get('a')).rejects.toThrow()
    await waitFor(() => !connection.isReady, { deadlineMs: SOON_MS })
    await expect(connection.client.get('a')).rejects.toThrow("isn't writeable")
    await server.resume()
    await waitFor(() => works(connection), { deadlineMs: SOON_MS })
    await connection.close()
  })
})
