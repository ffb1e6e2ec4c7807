import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { createMetrics } from '@millrace/telemetry'
import fc from 'fast-check'
import { createCacheMetrics } from '../src/cache-metrics.js'
import { createCache } from '../src/create-cache.js'
import { createGenerations } from '../src/generations.js'
import { ManualClock } from './manual-clock.js'

const kibibyte = 1_024

describe('the memory tier', () => {
  it('keeps a namespace within its limit by evicting the least recently used entries', async () => {
    const cache = createCache({ name: 'test' }, { logger: silentLogger })
    const namespace = cache.namespace<string>('small', { level: 'hot', memoryBytesMax: 10 * kibibyte })
    for (let index = 0; index < 20; index++) {
      await namespace.getOrSet(`k${index}`, () => 'x'.repeat(kibibyte))
      await namespace.getOrSet('k0', () => 'again')
    }
    const { memory } = namespace.stats()
    expect(memory.bytes).toBeLessThanOrEqual(10 * kibibyte)
    expect(memory.evictions).toBe(20 - memory.entries)
    expect(namespace.peek('k0')?.value).toHaveLength(kibibyte)
    expect(namespace.peek('k1')).toBeUndefined()
  })

  it('keeps all namespaces within the common limit by evicting from the fullest', async () => {
    const cache = createCache({ name: 'test', memoryBytesMax: 20 * kibibyte }, { logger: silentLogger })
    const [large, little] = ['large', 'little'].map((name) => cache.namespace<string>(name, { level: 'hot' }))
    await little?.getOrSet('k', () => 'x'.repeat(kibibyte))
    for (let index = 0; index < 40; index++) await large?.getOrSet(`k${index}`, () => 'x'.repeat(kibibyte))
    const bytes = Object.values(cache.stats()).reduce((sum, { memory }) => sum + memory.bytes, 0)
    expect(bytes).toBeLessThanOrEqual(20 * kibibyte)
    expect(little?.peek('k')).toBeDefined()
    expect(large?.stats().memory.evictions).toBeGreaterThan(20)
  })

  it('returns a value over the entry limit and does not keep it', async () => {
    const cache = createCache({ name: 'test' }, { logger: silentLogger })
    const namespace = cache.namespace<string>('limited', { level: 'hot', entryBytesMax: 100 })
    expect((await namespace.getOrSet('k', () => 'x'.repeat(200))).value).toHaveLength(200)
    expect(namespace.peek('k')).toBeUndefined()
    expect(namespace.stats().source).toMatchObject({ loads: 1, unkept: 1 })
  })

  it('counts the same for its statistics and for Prometheus', async () => {
    const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
    const cache = createCache({ name: 'test' }, { logger: silentLogger, metrics: createCacheMetrics(metrics) })
    const namespace = cache.namespace<string>('counted', { level: 'hot' })
    for (let read = 0; read < 4; read++) await namespace.getOrSet('k', () => 'v')
    await namespace.delete('k')
    expect(namespace.stats()).toMatchObject({
      memory: { hits: 3, misses: 1, hitRatio: 0.75 },
      source: { loads: 1 },
      invalidations: 1,
      hitRatio: 0.75,
    })
    const text = await metrics.expose()
    expect(text).toContain(
      'millrace_cache_reads_total{namespace="counted",tier="memory",outcome="hit",service="test"} 3',
    )
    expect(text).toContain('millrace_cache_memory_entries{namespace="counted",service="test"}')
    await cache.close()
    expect(() => cache.namespace('later', { level: 'hot' })).toThrow('closed')
  })

  it.each([
    ['a share of 1', { jitter: 1 }],
    ['a negative lifetime', { ttlMs: -1 }],
    ['a lifetime that is no number', { ttlMs: Number.NaN }],
  ])('refuses to be opened with %s', (_, options) => {
    const cache = createCache({ name: 'test' }, { logger: silentLogger })
    expect(() => cache.namespace('bad', { level: 'hot', ...options })).toThrow(/must be/)
  })

  it.each([
    [0, 1_000],
    [1, 500],
  ])('shortens lifetimes by a random part: %d of the share', async (chance, ttlMs) => {
    const clock = new ManualClock()
    const cache = createCache({ name: 'test' }, { logger: silentLogger, clock, random: () => chance })
    const namespace = cache.namespace<string>('jittered', { level: 'hot', ttlMs: 1_000, jitter: 0.5 })
    await namespace.getOrSet('k', () => 'v')
    await clock.advance(ttlMs - 1)
    expect(namespace.peek('k')).toBeDefined()
    await clock.advance(1)
    expect(namespace.peek('k')).toBeUndefined()
  })
})

describe('generations', () => {
  const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 3 })

  it('treat a value as current only if no invalidation has named it since, and when they forget names they treat values as outdated', () => {
    fc.assert(
      fc.property(fc.array(names), names, fc.nat(20), (moves, tags, asOf) => {
        const generations = createGenerations(3)
        for (const move of moves) generations.bump({ tags: move })
        fc.pre(asOf <= generations.sequence)
        const hasMoved = moves.slice(asOf).some((move) => move.some((tag) => tags.includes(tag)))
        if (hasMoved) expect(generations.isCurrent('k', tags, asOf)).toBe(false)
        const distinct = new Set(moves.flat())
        if (!hasMoved && distinct.size <= 3) expect(generations.isCurrent('k', tags, asOf)).toBe(true)
      }),
    )
  })
})
