import { describe, expect, it } from '@jest/globals'
import { startTestRedisCluster, startTestRedisServer, waitFor } from '@millrace/testing'
import { Gate } from '../gate.js'
import { withTwo } from './two-caches.js'

describe('two processes with one Redis', () => {
  it('load a key once for a thousand callers', async () => {
    await withTwo({}, async (a, b) => {
      const gate = new Gate<string>()
      const reads = [a, b].flatMap(({ namespace }) =>
        Array.from({ length: 500 }, () => namespace.getOrSet('k', gate.load)),
      )
      // Both have read Redis: one loads, the other waits.
      await waitFor(() => a.namespace.stats().redis.misses > 0 && b.namespace.stats().redis.misses > 0)
      await gate.called
      gate.open('v')
      const hits = await Promise.all(reads)
      expect(gate.calls).toBe(1)
      expect(hits.every(({ value }) => value === 'v')).toBe(true)
      expect(new Set(hits.map(({ source }) => source))).toEqual(new Set(['source', 'redis']))
    })
  })

  it('share loaded values, small, large and null, with their tags', async () => {
    await withTwo({}, async (a, b) => {
      const large = JSON.stringify(Array.from({ length: 200_000 }, (_, index) => index % 1_000))
      const values: Record<string, string | null> = { small: 'v', large, none: null }
      for (const [key, value] of Object.entries(values)) {
        await a.namespace.getOrSet(key, (context) => {
          context.tag('t')
          return value
        })
        const hit = await waitFor(() => b.namespace.get(key))
        expect(hit).toMatchObject({ source: 'redis', isStale: false })
        expect(hit.value === value).toBe(true)
      }
      expect(b.namespace.stats().redis.bytesRead).toBeLessThan(large.length)
      expect(await b.namespace.invalidateTags(['t'])).toEqual({ reach: 'everywhere' })
      for (const key of Object.keys(values)) expect(await b.namespace.get(key)).toBeUndefined()
      await waitFor(() => Object.keys(values).every((key) => a.namespace.peek(key) === undefined))
    })
  })

  it('share a written value, and a strict read returns it at once', async () => {
    await withTwo({}, async (a, b) => {
      await a.namespace.getOrSet('k', () => 'old')
      await waitFor(() => b.namespace.get('k'))
      await a.namespace.set('k', 'new')
      expect((await b.namespace.getOrSet('k', () => 'loaded', { isStrict: true })).value).toMatch(/new|loaded/)
      expect((await b.namespace.getOrSet('k', () => 'loaded', { isStrict: true })).value).not.toBe('old')
    })
  })

  it('learn of an invalidation from the log when no message arrives', async () => {
    await withTwo({}, async (a, b) => {
      await a.namespace.getOrSet('k', () => 'old', { tags: ['t'] })
      await waitFor(() => b.namespace.get('k'))
      const subscribers = String(await a.redis.client.client('LIST', 'TYPE', 'PUBSUB'))
        .trim()
        .split('\n')
      for (const line of subscribers) await a.redis.client.client('KILL', 'ID', Number(/id=(\d+)/.exec(line)?.[1]))
      await a.namespace.invalidateTags(['t'])
      await waitFor(() => b.namespace.peek('k') === undefined)
      expect((await b.namespace.getOrSet('k', () => 'new')).value).toBe('new')
    })
  })

  it('read the log at once after their subscription was cut, because a message may have been missed', async () => {
    const server = await startTestRedisServer()
    await withTwo({ redis: { url: server.url }, cache: { syncEveryMs: 3_600_000 } }, async (a, b) => {
      await a.namespace.getOrSet('k', () => 'old', { tags: ['t'] })
      await waitFor(() => b.namespace.get('k'))
      const clients = String(await a.redis.client.client('LIST', 'TYPE', 'PUBSUB'))
      const ids = [...clients.matchAll(/\bid=(\d+) .* name=millrace:cache-bus /g)].map(([, id]) => Number(id))
      expect(ids).toHaveLength(2)
      // The server runs these commands one right after the other, so the message finds no subscriber.
      const killed = ids.map((id) => a.redis.client.client('KILL', 'ID', id).catch(() => undefined))
      const sent = a.namespace.invalidateTags(['t'])
      await Promise.all([...killed, sent])
      await waitFor(() => b.namespace.peek('k') === undefined, { deadlineMs: 5_000 })
    })
    await server.stop()
  })

  it('load a value that is not kept at the same time', async () => {
    await withTwo({}, async (a, b) => {
      const gate = new Gate<string>()
      const first = a.namespace.getOrSet('k', async (context) => {
        context.skip()
        return await gate.load()
      })
      await gate.called
      const second = b.namespace.getOrSet('k', () => 'own')
      await waitFor(() => b.namespace.stats().redis.misses > 0)
      gate.open('skipped')
      expect((await first).value).toBe('skipped')
      expect((await second).value).toBe('own')
    })
  })

  it('share the popular keys, so that a new process can warm up', async () => {
    await withTwo({}, async (a, b) => {
      await a.redis.client.zadd('millrace:cache:{test:test}:popular', 5, 'often', 1, 'seldom')
      expect(await b.namespace.popularKeys(1)).toEqual(['often'])
    })
  })
})

describe('a Cluster', () => {
  it('keeps a namespace on one node, where values and invalidations are shared as on a single server', async () => {
    const cluster = await startTestRedisCluster()
    const url = cluster.nodes.map((node) => node.url).join(',')
    await withTwo({ redis: { url, clusterEnabled: true } }, async (a, b) => {
      await a.namespace.getOrSet('k', () => 'v', { tags: ['t'] })
      expect((await waitFor(() => b.namespace.get('k'))).value).toBe('v')
      await a.namespace.invalidateTags(['t'])
      await waitFor(() => b.namespace.peek('k') === undefined)
      expect((await b.namespace.getOrSet('k', () => 'new')).value).toBe('new')
      expect(await b.namespace.invalidatePattern('k*')).toEqual({ reach: 'everywhere' })
    })
    await cluster.stop()
  })
})
