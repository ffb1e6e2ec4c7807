import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { assembleCache } from '../src/assemble-cache.js'
import type { NamespaceOptions } from '../src/cache-types.js'
import { ManualClock } from './manual-clock.js'
import { openInstantModel } from './model/instant-model.js'

async function open(options: Partial<NamespaceOptions<string>> = {}) {
  const clock = new ManualClock()
  const { link, store } = openInstantModel(() => clock.monotonicMs())
  const cache = assembleCache(
    { name: 'test', lagMsMax: 2_000 },
    { logger: silentLogger, clock, random: () => 0, openRemote: () => link },
  )
  const namespace = cache.namespace<string>('test', { level: 'hot', refreshAhead: 0, ...options })
  await clock.advance(0)
  return { clock, link, store, cache, namespace }
}

const failing = () => Promise.reject(new Error('no source'))

describe('a value on its way to Redis', () => {
  it('ages on the way, so that no other process takes it for younger than it is', async () => {
    const { clock, link, store, namespace } = await open()
    const send = link.store.bind(link)
    let arrive: () => void = () => undefined
    link.store = async (...args) => {
      await new Promise<void>((resolve) => {
        arrive = resolve
      })
      return await send(...args)
    }
    await namespace.getOrSet('k', () => 'v')
    await clock.advance(300)
    arrive()
    await clock.advance(0)
    expect(store.fetch('k', { neededMs: 0 })?.entry?.ageMs).toBe(300)
  })
})

describe('the memory tier in front of Redis', () => {
  it('is used as long as invalidations are read from Redis, and without Redis no longer than the maximum lag', async () => {
    const { clock, link, namespace } = await open()
    await namespace.getOrSet('k', () => 'v')
    await clock.advance(60_000)
    expect(namespace.peek('k')?.value).toBe('v')
    link.tell('lost')
    await clock.advance(1_000)
    expect(namespace.peek('k')?.value).toBe('v')
    await clock.advance(2_000)
    expect(namespace.peek('k')).toBeUndefined()
    expect(await namespace.getOrSet('k', () => 'loaded')).toMatchObject({ value: 'loaded', source: 'source' })
    await clock.advance(2_000)
    expect(namespace.peek('k')?.value).toBe('loaded')
  })

  it('is used again once the missed invalidations were read from Redis', async () => {
    const { clock, link, store, namespace } = await open()
    await namespace.getOrSet('kept', () => 'v', { tags: ['a'] })
    await namespace.getOrSet('dropped', () => 'v', { tags: ['b'] })
    link.tell('lost')
    await clock.advance(10_000)
    store.invalidate({ tags: ['b'] })
    link.tell('ready')
    await clock.advance(0)
    expect(namespace.peek('kept')?.value).toBe('v')
    expect(namespace.peek('dropped')).toBeUndefined()
  })

  it('drops every value when the log of invalidations no longer reaches back to what this process knows', async () => {
    const { clock, link, store, namespace } = await open()
    await namespace.getOrSet('k', () => 'v')
    link.tell('lost')
    store.invalidate({ keys: ['k'] })
    store.contents.log?.clear()
    link.tell('ready')
    await clock.advance(0)
    expect(namespace.peek('k')).toBeUndefined()
  })

  it('serves unconfirmed values for a failing source only if the caller allows it', async () => {
    for (const allowsUnconfirmedOnError of [false, true]) {
      const { clock, link, namespace } = await open({ allowsUnconfirmedOnError })
      await namespace.getOrSet('k', () => 'v')
      link.tell('lost')
      await clock.advance(10_000)
      const read = namespace.getOrSet('k', failing)
      if (allowsUnconfirmedOnError) expect(await read).toMatchObject({ value: 'v', isStale: true })
      else await expect(read).rejects.toThrow('no source')
    }
  })

  it('gives no value to a strict read when Redis cannot be reached', async () => {
    const { link, namespace } = await open()
    await namespace.getOrSet('k', () => 'v')
    link.tell('lost')
    expect((await namespace.getOrSet('k', () => 'loaded', { isStrict: true })).source).toBe('source')
    await expect(namespace.getOrSet('k', failing, { isStrict: true })).rejects.toThrow('no source')
  })

  it('receives invalidations even if its values are not stored in Redis', async () => {
    const { clock, store, namespace } = await open({ isShared: false })
    await namespace.getOrSet('k', () => 'v', { tags: ['t'] })
    expect(store.contents.entries.size).toBe(0)
    store.invalidate({ tags: ['t'] })
    await clock.advance(1_000)
    expect(namespace.peek('k')).toBeUndefined()
  })

  it('reports popular keys to Redis from time to time', async () => {
    const { clock, namespace } = await open()
    for (const [key, reads] of [
      ['seldom', 1],
      ['often', 5],
    ] as const) {
      for (let read = 0; read <= reads; read++) await namespace.getOrSet(key, () => 'v')
    }
    await clock.advance(30_000)
    expect(await namespace.popularKeys()).toEqual(['often', 'seldom'])
  })

  it('sends an invalidation that Redis could not take once Redis is back, before it uses values in Redis again', async () => {
    const { clock, link, namespace } = await open()
    await namespace.getOrSet('k', () => 'old', { tags: ['t'] })
    await clock.advance(0)
    link.tell('lost')
    expect(await namespace.invalidateTags(['t'])).toEqual({ reach: 'process' })
    link.tell('ready')
    await clock.advance(0)
    expect(await namespace.get('k')).toBeUndefined()
  })

  it('drops a whole namespace after an outage with more invalidations than it remembers', async () => {
    const { clock, link, store, namespace } = await open()
    await namespace.getOrSet('k', () => 'v')
    await clock.advance(0)
    link.tell('lost')
    const keys = Array.from({ length: 10_001 }, (_, index) => `key ${index}`)
    expect(await namespace.delete(...keys)).toEqual({ reach: 'process' })
    link.tell('ready')
    await clock.advance(0)
    expect(store.contents.state?.floor).toBe(1)
    expect(await namespace.get('k')).toBeUndefined()
  })
})
