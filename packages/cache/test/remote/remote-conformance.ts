import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { waitFor } from '@millrace/testing'
import type { Names } from '../../src/generations.js'
import { parseGlob } from '../../src/glob.js'
import type { LogPosition, RemoteEntry, RemoteTier } from '../../src/remote-tier.js'

const leaseMs = 600_000
const entryOf = (text: string, rest: Partial<RemoteEntry> = {}): RemoteEntry => ({
  tags: ['t1', 't2'],
  ageMs: 0,
  ttlMs: 600_000,
  staleMs: 0,
  packed: { packing: 'plain', bytes: Buffer.from(text) },
  ...rest,
})

/** The contract of a tier between processes, for Redis and for the model that the explorer uses. */
export function itKeepsTheContract(
  name: string,
  open: () => Promise<{ remote: RemoteTier; close(): Promise<void> }>,
): void {
  describe(`${name}: a tier between processes`, () => {
    let remote: RemoteTier
    let close: () => Promise<void>
    let token = 0

    beforeEach(async () => {
      ;({ remote, close } = await open())
    })
    afterEach(() => close())

    async function begin(key: string, neededMs = 0): Promise<{ token: string; position: LogPosition }> {
      const claim = { token: `token ${++token}`, leaseMs }
      const fetched = await remote.fetch(key, { lease: claim, neededMs })
      expect(fetched?.lease).toBe('leased')
      return { token: claim.token, position: fetched?.position as LogPosition }
    }

    async function fill(key: string, entry = entryOf('v')): Promise<void> {
      expect(await remote.store(key, entry, await begin(key))).toBe(true)
    }

    const quality = async (key: string, neededMs = 0) => (await remote.fetch(key, { neededMs }))?.quality

    it('is empty before its first epoch, which begins when missed invalidations are first read', async () => {
      expect(await remote.fetch('k', { neededMs: 0 })).toBeUndefined()
      expect(await remote.sync(undefined)).toMatchObject({ kind: 'gap', position: { sequence: 0 } })
      expect(await remote.fetch('k', { neededMs: 0 })).toMatchObject({ quality: 'none', lease: 'not_requested' })
    })

    it('returns an entry that was stored under a lease, with its bytes, tags and times', async () => {
      await remote.sync(undefined)
      const bytes = Buffer.from([0, 255, 10, 13, 128, 200])
      await fill('k', entryOf('', { ageMs: 1_000, staleMs: 50, packed: { packing: 'lz4', bytes } }))
      const fetched = await remote.fetch('k', { neededMs: 0 })
      expect(fetched).toMatchObject({ quality: 'fresh', entry: { tags: ['t1', 't2'], ttlMs: 600_000, staleMs: 50 } })
      expect(fetched?.entry?.packed.packing).toBe('lz4')
      expect(fetched?.entry?.packed.bytes.equals(bytes)).toBe(true)
      expect(fetched?.entry?.ageMs).toBeGreaterThanOrEqual(1_000)
    })

    it('leases a key to one process at a time, until the lease is released, opened for all, or expired', async () => {
      await remote.sync(undefined)
      const held = await begin('k')
      const ask = async () => (await remote.fetch('k', { lease: { token: 'other', leaseMs }, neededMs: 0 }))?.lease
      expect(await ask()).toBe('busy')
      await remote.release('k', 'somebody else', false)
      expect(await ask()).toBe('busy')
      await remote.release('k', held.token, true)
      expect(await ask()).toBe('open')
      const short = { token: 'short', leaseMs: 20 }
      await remote.fetch('k2', { lease: short, neededMs: 0 })
      await waitFor(
        async () => (await remote.fetch('k2', { lease: { token: 'next', leaseMs }, neededMs: 0 }))?.lease === 'leased',
      )
      expect(await remote.extend('k2', 'short', leaseMs)).toBe(false)
      expect(await remote.extend('k2', 'next', leaseMs)).toBe(true)
      expect(await remote.store('k2', entryOf('v'), { ...held, token: 'short' })).toBe(false)
    })

    it('counts the age of an entry from its lease, however long it took to be stored', async () => {
      await remote.sync(undefined)
      const held = await begin('k')
      const now = async () => (await remote.fetch('other', { neededMs: 0 }))?.atMs ?? 0
      const grantedAtMs = await now()
      await waitFor(async () => (await now()) >= grantedAtMs + 20)
      expect(await remote.store('k', entryOf('v', { ageMs: 0 }), { ...held, grantedAtMs })).toBe(true)
      expect((await remote.fetch('k', { neededMs: 0 }))?.entry?.ageMs).toBeGreaterThanOrEqual(20)
    })

    it('positions an entry that is too old as stale, and leases its key while the entry can still be returned', async () => {
      await remote.sync(undefined)
      await fill('k', entryOf('v', { ageMs: 300_000 }))
      expect(await quality('k', 200_000)).toBe('fresh')
      expect(await quality('k', 400_000)).toBe('stale')
      expect(await quality('k', Number.POSITIVE_INFINITY)).toBe('stale')
      await fill('old', entryOf('v', { ageMs: 700_000, staleMs: 600_000 }))
      expect(await quality('old')).toBe('stale')
      expect((await begin('old')).position.sequence).toBe(0)
      expect(await remote.store('gone', entryOf('v', { ageMs: 700_000 }), await begin('gone'))).toBe(false)
    })

    it.each<[string, Names]>([
      ['a tag', { tags: ['other', 't2'] }],
      ['its key', { keys: ['other', 'käse:1'] }],
      ['a pattern', { globs: [parseGlob('k?se:*')] }],
      ['everything', { isEverything: true }],
    ])('drops an entry, and refuses to store a load under way, after an invalidation by %s', async (_, names) => {
      await remote.sync(undefined)
      await fill('käse:1')
      const loading = await begin('käse:1', Number.POSITIVE_INFINITY)
      const position = await remote.invalidate(names)
      expect(position.sequence).toBe(1)
      expect(await quality('käse:1')).toBe('none')
      expect(await remote.store('käse:1', entryOf('old'), loading)).toBe(false)
      expect(await quality('käse:1')).toBe('none')
      await remote.release('käse:1', loading.token, false)
      await fill('käse:1')
      expect(await quality('käse:1')).toBe('fresh')
    })

    it('compares thousands of tags', async () => {
      await remote.sync(undefined)
      const tags = Array.from({ length: 10_000 }, (_, index) => `t${index}`)
      await fill('k', entryOf('v', { tags }))
      await remote.invalidate({ tags: ['t'] })
      expect(await quality('k')).toBe('fresh')
      await remote.invalidate({ tags: ['t9998'] })
      expect(await quality('k')).toBe('none')
    })

    it('keeps entries that an invalidation does not name', async () => {
      await remote.sync(undefined)
      await fill('a.b-c')
      const globs = ['a?', 'a.b', '*x', 'A*', 'a%.b-c', '[a].b-c', 'a.b?-c', '?'].map(parseGlob)
      await remote.invalidate({ tags: ['t', 't11'], keys: ['a'], globs })
      expect(await quality('a.b-c')).toBe('fresh')
      await remote.invalidate({ globs: [parseGlob('a.?-*')] })
      expect(await quality('a.b-c')).toBe('none')
    })

    it('returns the invalidations since a position, or that it no longer has them', async () => {
      const { position } = await remote.sync(undefined)
      expect(await remote.sync(position)).toEqual({ kind: 'same', position })
      await remote.invalidate({ tags: ['t'], keys: ['k'] })
      await remote.invalidate({ globs: [parseGlob('x*')] })
      await remote.invalidate({ isEverything: true })
      const missed = await remote.sync(position)
      expect(missed).toMatchObject({
        kind: 'invalidations',
        position: { epoch: position.epoch, sequence: 3 },
        names: [{ tags: ['t'], keys: ['k'], sequence: 1 }, { sequence: 2 }, { isEverything: true, sequence: 3 }],
      })
      expect(missed.kind === 'invalidations' && missed.names[1]?.globs?.[0]?.matches('xyz')).toBe(true)
      expect(await remote.sync({ epoch: 'another', sequence: 1 })).toMatchObject({ kind: 'gap' })
    })

    it('gives the lease to a writer only if nothing was invalidated since the writer’s position', async () => {
      const { position } = await remote.sync(undefined)
      const first = await remote.invalidate({ keys: ['k'] }, { token: 'w1', leaseMs, position })
      expect(await remote.store('k', entryOf('1'), { token: 'w1', position: first })).toBe(true)
      const second = await remote.invalidate({ keys: ['k'] }, { token: 'w2', leaseMs, position })
      expect(await remote.store('k', entryOf('2'), { token: 'w2', position: second })).toBe(false)
      expect(await quality('k')).toBe('none')
    })

    it('remembers which keys are read most', async () => {
      await remote.remember(
        new Map([
          ['a', 5],
          ['b', 10],
          ['c', 1],
        ]),
      )
      await remote.remember(new Map([['a', 9]]))
      expect(await remote.popular(2)).toEqual(['a', 'b'])
    })
  })
}
