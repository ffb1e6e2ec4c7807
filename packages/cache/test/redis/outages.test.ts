import { describe, expect, it } from '@jest/globals'
import { startTestRedisServer, waitFor } from '@millrace/testing'
import { Gate } from '../gate.js'
import { type Instance, withTwo } from './two-caches.js'

let probes = 0

/** Waits until a value that one process loads reaches the other through Redis. */
async function waitUntilShared(from: Instance, to: Instance): Promise<void> {
  await waitFor(async () => {
    const key = `probe ${++probes}`
    await from.namespace.getOrSet(key, () => 'v')
    await from.redis.ping()
    return (await to.namespace.get(key))?.source === 'redis'
  })
}

describe('the cache when Redis', () => {
  it('is killed keeps serving reads, invalidates in its own process at once, and ignores the old values in Redis afterwards', async () => {
    const server = await startTestRedisServer()
    await withTwo({ redis: { url: server.url, commandTimeoutMs: 60_000 } }, async (a, b) => {
      await a.namespace.getOrSet('k', () => 'old', { tags: ['t'] })
      await waitFor(() => b.namespace.get('k'))
      await server.kill()
      await waitFor(() => !a.redis.isReady && !b.redis.isReady)
      expect((await a.namespace.getOrSet('k', () => 'unused')).value).toBe('old')
      expect(await a.namespace.invalidateTags(['t'])).toEqual({ reach: 'process' })
      expect((await a.namespace.getOrSet('k', () => 'new', { tags: ['t'] })).value).toBe('new')
      expect((await b.namespace.getOrSet('other', () => 'v')).value).toBe('v')
      await server.restart()
      await waitFor(() => b.namespace.peek('k') === undefined)
      expect((await b.namespace.getOrSet('k', () => 'new', { tags: ['t'] })).value).toBe('new')
      await waitUntilShared(b, a)
    })
    await server.stop()
  })

  it('hangs limits the wait of an invalidation, and sends it when Redis answers again', async () => {
    const server = await startTestRedisServer()
    const options = { redis: { url: server.url }, cache: { remoteTimeoutMs: 2_000 } }
    await withTwo(options, async (a, b) => {
      await waitFor(async () => {
        await a.namespace.getOrSet('k', () => 'old', { tags: ['t'], isFresh: true })
        return await b.namespace.get('k')
      })
      await server.pause()
      expect(await a.namespace.invalidateTags(['t'])).toEqual({ reach: 'process' })
      expect((await a.namespace.getOrSet('k', () => 'new')).value).toBe('new')
      await server.resume()
      await waitFor(() => b.namespace.peek('k') === undefined)
      const read = await b.namespace.getOrSet('k', () => 'new')
      expect(read.value).toBe('new')
    })
    await server.stop()
  })

  it('comes back serves both processes with one load of a key', async () => {
    const server = await startTestRedisServer()
    await withTwo({ redis: { url: server.url } }, async (a, b) => {
      await a.namespace.getOrSet('k', () => 'old')
      // The value is stored in the background. Before that, a's lease of the key would be kept over the restart and make both processes wait.
      await waitFor(() => a.redis.client.exists('millrace:cache:{test:test}:entry:k'))
      await server.restart()
      await waitUntilShared(a, b)
      await waitUntilShared(b, a)
      const gate = new Gate<string>()
      const misses = b.namespace.stats().redis.misses
      const reads = [a, b].flatMap(({ namespace }) =>
        Array.from({ length: 100 }, () => namespace.getOrSet('k', gate.load)),
      )
      await gate.called
      await waitFor(() => b.namespace.stats().redis.misses > misses)
      gate.open('new')
      for (const { value } of await Promise.all(reads)) expect(value).toBe('new')
      expect(gate.calls).toBe(1)
    })
    await server.stop()
  })

  it('evicts the state of a namespace ignores the values that were stored under it', async () => {
    const settings = { maxmemory: '6mb', 'maxmemory-policy': 'allkeys-lru', 'maxmemory-samples': '64' }
    const server = await startTestRedisServer({ appendonly: false, settings })
    await withTwo({ redis: { url: server.url }, cache: { syncEveryMs: 3_600_000 } }, async (a) => {
      await a.namespace.getOrSet('k', () => 'old', { tags: ['t'] })
      const [state, entry] = ['state', 'entry:k'].map((name) => `millrace:cache:{test:test}:${name}`) as [
        string,
        string,
      ]
      const dump = await waitFor(() => a.redis.client.dumpBuffer(entry))
      await a.namespace.invalidateTags(['t'])
      let filler = 0
      await waitFor(
        async () => {
          await a.redis.client.set(`filler:${filler++}`, 'x'.repeat(100_000))
          return (await a.redis.client.exists(state)) === 0
        },
        { intervalMs: 0 },
      )
      await a.redis.client.restore(entry, 0, dump, 'REPLACE')
      expect(await a.namespace.get('k')).toBeUndefined()
      expect((await a.namespace.getOrSet('k', () => 'new')).value).toBe('new')
    })
    await server.stop()
  })
})
