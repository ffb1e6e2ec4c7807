import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import type { Namespace, NamespaceOptions } from '../src/cache-types.js'
import { createCache } from '../src/create-cache.js'
import { Gate } from './gate.js'
import { ManualClock } from './manual-clock.js'

interface Fixture {
  readonly clock: ManualClock
  readonly namespace: Namespace<string | null>
  readonly gate: Gate<string | null>
}

function open(options: Partial<NamespaceOptions<string | null>> = {}): Fixture {
  const clock = new ManualClock()
  const cache = createCache({ name: 'test' }, { logger: silentLogger, clock, random: () => 0 })
  const namespace = cache.namespace<string | null>('test', { level: 'hot', ttlMs: 1_000, refreshAhead: 0, ...options })
  return { clock, namespace, gate: new Gate() }
}

describe('a read', () => {
  it('loads a key once for all concurrent callers, and returns it from memory afterwards', async () => {
    const { namespace, gate, clock } = open()
    const reads = Array.from({ length: 100 }, () => namespace.getOrSet('k', gate.load))
    await gate.called
    gate.open('v')
    const hits = await Promise.all(reads)
    expect(gate.calls).toBe(1)
    expect(hits.every(({ value, source }) => value === 'v' && source === 'source')).toBe(true)
    await clock.advance(400)
    const hit = await namespace.getOrSet('k', gate.load)
    expect(hit).toEqual({ value: 'v', source: 'memory', ageMs: 400, isStale: false, storedAt: 1_000_000 })
    expect(namespace.peek('k')).toEqual(hit)
  })

  it('loads a value again when its lifetime is over', async () => {
    const { namespace, clock } = open()
    await namespace.getOrSet('k', () => 'old')
    await clock.advance(1_000)
    expect(namespace.peek('k')).toBeUndefined()
    expect((await namespace.getOrSet('k', () => 'new')).value).toBe('new')
  })

  it('rejects with the error of the loader, and calls the loader again next time', async () => {
    const { namespace } = open()
    const failing = () => Promise.reject(new Error('no source'))
    await expect(namespace.getOrSet('k', failing)).rejects.toThrow('no source')
    expect((await namespace.getOrSet('k', () => 'v')).value).toBe('v')
    expect(namespace.stats().source).toMatchObject({ loads: 2, errors: 1 })
  })

  it('fails at the hard time-out and aborts the loader', async () => {
    const { namespace, clock } = open({ hardTimeoutMs: 50 })
    let signal: AbortSignal | undefined
    const read = namespace.getOrSet('k', (context) => {
      signal = context.signal
      return new Promise(() => undefined)
    })
    const outcome = expect(read).rejects.toMatchObject({ code: 'CACHE_LOAD_TIMEOUT' })
    await clock.advance(50)
    await outcome
    expect(signal?.aborted).toBe(true)
    expect(namespace.stats().source.timeouts).toBe(1)
  })

  it('keeps null for a short time and does not keep undefined', async () => {
    const { namespace, clock } = open({ negativeTtlMs: 100 })
    await namespace.getOrSet('k', () => null)
    expect((await namespace.getOrSet('k', () => 'v')).value).toBeNull()
    await clock.advance(100)
    expect((await namespace.getOrSet('k', () => 'v')).value).toBe('v')
    await namespace.getOrSet('none', () => undefined as unknown as string)
    expect(namespace.peek('none')).toBeUndefined()
  })

  it('uses the lifetime and tags that the loader sets, and keeps no value that the loader skips', async () => {
    const { namespace, clock } = open()
    await namespace.getOrSet('short', (context) => {
      context.expire(10)
      return 'v'
    })
    await namespace.getOrSet('skipped', (context) => {
      context.skip()
      return 'v'
    })
    await namespace.getOrSet('tagged', (context) => {
      context.tag('t')
      return 'v'
    })
    expect(namespace.peek('skipped')).toBeUndefined()
    await clock.advance(10)
    expect(namespace.peek('short')).toBeUndefined()
    await namespace.invalidateTags(['t'])
    expect(namespace.peek('tagged')).toBeUndefined()
  })

  it('loads anew when the caller does not accept the cached value or requires a fresh one', async () => {
    const { namespace } = open()
    await namespace.getOrSet('k', () => '1')
    expect((await namespace.getOrSet('k', () => '2', { accept: (value) => value !== '1' })).value).toBe('2')
    expect((await namespace.getOrSet('k', () => '3', { accept: (value) => value === '2' })).value).toBe('2')
    expect((await namespace.getOrSet('k', () => '4', { isFresh: true })).value).toBe('4')
    expect(namespace.peek('k')?.value).toBe('4')
  })

  it('that has to be fresh does not share a load that began before it', async () => {
    const { namespace, gate, clock } = open()
    const early = namespace.getOrSet('k', gate.load)
    await clock.advance(1)
    expect((await namespace.getOrSet('k', () => 'fresh', { isFresh: true })).value).toBe('fresh')
    gate.open('early')
    expect((await early).value).toBe('early')
    expect(namespace.peek('k')?.value).toBe('fresh')
  })
})

describe('a stale value', () => {
  const stale = { staleMs: 5_000 }

  it('is returned at once while one load refreshes it', async () => {
    const { namespace, clock, gate } = open(stale)
    await namespace.getOrSet('k', () => 'old')
    await clock.advance(1_500)
    const hits = await Promise.all(Array.from({ length: 10 }, () => namespace.getOrSet('k', gate.load)))
    expect(hits.every(({ value, isStale, ageMs }) => value === 'old' && isStale && ageMs === 1_500)).toBe(true)
    expect(gate.calls).toBe(1)
    await gate.called
    gate.open('new')
    await clock.advance(0)
    expect(namespace.peek('k')?.value).toBe('new')
  })

  it('is returned at the soft time-out when the refresh takes longer', async () => {
    const { namespace, clock, gate } = open({ ...stale, softTimeoutMs: 100 })
    await namespace.getOrSet('k', () => 'old')
    await clock.advance(1_500)
    const inTime = namespace.getOrSet('k', () => 'new')
    expect((await inTime).value).toBe('new')
    await clock.advance(1_500)
    const late = namespace.getOrSet('k', gate.load)
    await clock.advance(100)
    expect(await late).toMatchObject({ value: 'new', isStale: true })
    await gate.called
    gate.open('newer')
    await clock.advance(0)
    expect(namespace.peek('k')?.value).toBe('newer')
  })

  it('is returned when the loader fails, which is then not called for a second', async () => {
    const { namespace, clock } = open({ ...stale, softTimeoutMs: 100 })
    let calls = 0
    const failing = () => {
      calls++
      return Promise.reject(new Error('no source'))
    }
    await namespace.getOrSet('k', () => 'old')
    await clock.advance(1_500)
    expect(await namespace.getOrSet('k', failing)).toMatchObject({ value: 'old', isStale: true })
    await clock.advance(500)
    expect(await namespace.getOrSet('k', failing)).toMatchObject({ value: 'old', isStale: true })
    expect(calls).toBe(1)
    await clock.advance(500)
    await namespace.getOrSet('k', failing)
    expect(calls).toBe(2)
  })

  it('is never returned after it was invalidated, whatever fails', async () => {
    const { namespace, clock } = open({ ...stale, softTimeoutMs: 100 })
    await namespace.getOrSet('k', () => 'old', { tags: ['t'] })
    await clock.advance(1_500)
    await namespace.invalidateTags(['t'])
    await expect(namespace.getOrSet('k', () => Promise.reject(new Error('no source')))).rejects.toThrow('no source')
  })
})

describe('a value that is read often', () => {
  it('is refreshed once before it expires, and no caller waits for that before it has expired', async () => {
    const { namespace, clock, gate } = open({ refreshAhead: 0.2, staleMs: 5_000, softTimeoutMs: 1_000 })
    await namespace.getOrSet('k', () => 'old')
    for (let read = 0; read < 3; read++) await namespace.getOrSet('k', gate.load)
    await clock.advance(800)
    expect(await namespace.getOrSet('k', gate.load)).toMatchObject({ value: 'old', isStale: false })
    await namespace.getOrSet('k', gate.load)
    await clock.advance(300)
    const read = namespace.getOrSet('k', gate.load)
    gate.open('new')
    expect(await read).toMatchObject({ value: 'new', isStale: false })
    expect(gate.calls).toBe(1)
    expect(namespace.peek('k')?.value).toBe('new')
  })
})

describe('an invalidation', () => {
  it.each<[string, (namespace: Namespace<string | null>) => Promise<unknown>]>([
    ['by a tag known before loading', (namespace) => namespace.invalidateTags(['before'])],
    ['by a tag known after loading', (namespace) => namespace.invalidateTags(['after'])],
    ['by key', (namespace) => namespace.delete('k:1')],
    ['by pattern', (namespace) => namespace.invalidatePattern('k:*')],
    ['of everything', (namespace) => namespace.invalidateAll()],
    ['by a written value', (namespace) => namespace.set('k:1', 'written')],
  ])(
    '%s gives the value of a load under way to earlier callers only, and the value is not kept',
    async (_, invalidate) => {
      const { namespace, gate } = open()
      const load = async (context: { tag(...tags: string[]): void }) => {
        const value = await gate.load()
        context.tag('after')
        return value
      }
      const early = namespace.getOrSet('k:1', load, { tags: ['before'] })
      await gate.called
      await invalidate(namespace)
      const late = namespace.getOrSet('k:1', () => 'new', { tags: ['before'] })
      gate.open('old')
      expect((await early).value).toBe('old')
      expect((await late).value).toMatch(/new|written/)
      expect(namespace.peek('k:1')?.value).toMatch(/new|written/)
    },
  )

  it('keeps entries that it does not name', async () => {
    const { namespace } = open()
    await namespace.getOrSet('a.b', () => 'v', { tags: ['t'] })
    await namespace.invalidateTags(['other'])
    await namespace.delete('a')
    for (const pattern of ['a?', 'a?b?', 'x*', '*c', 'A.b', 'a\\.b', '[a].b', 'a.b|x'])
      await namespace.invalidatePattern(pattern)
    expect(namespace.peek('a.b')?.value).toBe('v')
  })
})

describe('warming', () => {
  it('loads missing keys and continues after a failure', async () => {
    const { namespace } = open()
    await namespace.getOrSet('there', () => 'v')
    const keys = ['there', 'bad', 'new']
    const entries = keys.map((key) => ({
      key,
      load: () => (key === 'bad' ? Promise.reject(new Error('no source')) : `loaded ${key}`),
    }))
    expect(await namespace.warm(entries, 1)).toBe(2)
    expect(namespace.peek('there')?.value).toBe('v')
    expect(namespace.peek('new')?.value).toBe('loaded new')
  })
})
