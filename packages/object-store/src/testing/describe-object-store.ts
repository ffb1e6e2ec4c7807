import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it as jestIt } from '@jest/globals'
import type { ObjectInfo, ObjectStore } from '../object-store.js'

export interface StoreUnderTest {
  /** Opens one more client of the same empty store. */
  open(): Promise<ObjectStore>
  close(): Promise<void>
}

const MIB = 1024 ** 2
/** The length of a part of an S3 upload. */
const PART_BYTES = 16 * MIB
/** The shortest body that needs three parts. */
const THREE_PARTS_BYTES = 2 * PART_BYTES + 1
/** A listing of S3 has at most 1,000 keys a page: this many need a first page, a middle one and a last one. */
const THREE_PAGES_KEYS = 2_001

/**
 * What every driver promises. `start` is called once. `knownFailures` has titles of tests that a server is known to fail: they
 * are skipped, and each is named on standard error.
 */
export function describeObjectStore(
  name: string,
  start: () => Promise<StoreUnderTest>,
  knownFailures: readonly string[] = [],
): void {
  for (const title of knownFailures)
    process.stderr.write(`NOT TESTED with ${name}, which fails it: the store ${title}\n`)
  const it = (title: string, test: () => Promise<void>) =>
    (knownFailures.includes(title) ? jestIt.skip : jestIt)(title, test)
  describe(`the object store (${name})`, () => {
    let under: StoreUnderTest
    let store: ObjectStore
    let other: ObjectStore
    beforeAll(async () => {
      under = await start()
      store = await under.open()
      other = await under.open()
    })
    afterAll(async () => {
      await store?.close()
      await other?.close()
      await under?.close()
    })

    it('returns the bytes that were put, of any size around the limits of a part', async () => {
      const longest = randomBytes(THREE_PARTS_BYTES)
      for (const bytes of [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, THREE_PARTS_BYTES]) {
        const body = longest.subarray(0, bytes)
        const info = await store.put(`sizes/${bytes}`, body)
        expect(info).toMatchObject({ key: `sizes/${bytes}`, bytes })
        expect((await read(other, `sizes/${bytes}`)).equals(body)).toBe(true)
        expect(await other.head(`sizes/${bytes}`)).toMatchObject({ key: `sizes/${bytes}`, bytes })
      }
    })

    it('stores a body that comes in pieces of any length', async () => {
      const pieces = Array.from({ length: 200 }, (_, index) => randomBytes((index * 7919) % 200_000))
      await store.put('pieces', iterate(pieces))
      const whole = Buffer.concat(pieces)
      expect(whole.length).toBeGreaterThan(PART_BYTES)
      expect((await read(store, 'pieces')).equals(whole)).toBe(true)
    })

    it('replaces an object as a whole, while readers read the old one or the new one', async () => {
      const versions = [1, 2].map((version) => Buffer.alloc(PART_BYTES + MIB, version))
      await store.put('replaced', versions[0] as Buffer)
      let isWriting = true
      const writing = (async () => {
        for (let turn = 1; turn <= 4; turn++) await store.put('replaced', versions[turn % 2] as Buffer)
        isWriting = false
      })()
      while (isWriting) {
        const found = await read(other, 'replaced')
        expect(versions.some((version) => version.equals(found))).toBe(true)
      }
      await writing
    })

    it('gives exactly one of several writers the key when they put only if it is absent', async () => {
      for (const bytes of [10, PART_BYTES + MIB]) {
        const key = `once/${bytes}`
        const bodies = Array.from({ length: 4 }, (_, writer) => Buffer.alloc(bytes, writer + 1))
        const results = await Promise.allSettled(
          bodies.map((body, writer) => (writer % 2 ? store : other).put(key, body, { ifAbsent: true })),
        )
        const winners = results.flatMap(({ status }, writer) => (status === 'fulfilled' ? [writer] : []))
        expect(winners).toHaveLength(1)
        for (const result of results)
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'OBJECT_EXISTS' })
        expect((await read(store, key)).equals(bodies[winners[0] ?? -1] as Buffer)).toBe(true)
        await expect(store.put(key, Buffer.from('later'), { ifAbsent: true })).rejects.toMatchObject({
          code: 'OBJECT_EXISTS',
          kind: 'conflict',
        })
      }
    })

    it('returns any range of an object, and nothing beyond its end', async () => {
      const body = randomBytes(100_000)
      await store.put('ranges', body)
      const ranges: [offset: number, bytes?: number][] = [
        [0, 0],
        [0, 1],
        [5, 10],
        [99_999, 1],
        [99_990, 500],
        [50_000],
        [100_000, 1],
        [200_000],
      ]
      for (const [offset, bytes] of ranges) {
        const range = bytes === undefined ? { offset } : { offset, bytes }
        const { info, body: stream } = await store.get('ranges', { range })
        expect(info.bytes).toBe(body.length)
        const expected = body.subarray(offset, bytes === undefined ? undefined : offset + bytes)
        expect((await collect(stream)).equals(expected)).toBe(true)
      }
    })

    it('rejects a range that has no meaning, and does not read the whole object instead', async () => {
      await store.put('bad-range', Buffer.from('0123456789'))
      for (const range of [{ offset: -1 }, { offset: 0.5 }, { offset: 0, bytes: -1 }, { offset: Number.NaN }]) {
        const invalid = { code: 'OBJECT_RANGE_INVALID', kind: 'invalid' }
        await expect(store.get('bad-range', { range })).rejects.toMatchObject(invalid)
      }
    })

    it('holds a key with every character that is allowed, as long as a part may be', async () => {
      const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=+@:,~-'
      const keys = [`every/${letters}`, `every/${'x'.repeat(200)}`]
      for (const key of keys) {
        await store.put(key, Buffer.from(key))
        expect((await read(other, key)).toString()).toBe(key)
      }
      expect(await keysOf(other, { prefix: 'every/' })).toEqual(keys)
      await store.delete(keys[0] as string)
      expect(await keysOf(other, { prefix: 'every/' })).toEqual(keys.slice(1))
    })

    it('rejects a read of a missing object, and finds nothing at its key', async () => {
      await expect(store.get('missing/object')).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND', kind: 'not_found' })
      await expect(store.get('missing/object', { range: { offset: 0, bytes: 0 } })).rejects.toMatchObject({
        code: 'OBJECT_NOT_FOUND',
      })
      expect(await store.head('missing/object')).toBeUndefined()
      await store.put('folder/below', Buffer.from('x'))
      expect(await store.head('folder')).toBeUndefined()
      await expect(store.get('folder')).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' })
    })

    it('deletes an object, and resolves when there is none', async () => {
      await store.put('deleted/once', Buffer.from('x'))
      await store.delete('deleted/once')
      expect(await store.head('deleted/once')).toBeUndefined()
      await store.delete('deleted/once')
      await store.delete('deleted')
      await store.delete('never/there/at/all')
      await store.put('deleted/once', Buffer.from('again'))
      expect((await read(store, 'deleted/once')).toString()).toBe('again')
    })

    it('puts into a folder that another client is emptying at the same time', async () => {
      await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const [one, two] = index % 2 ? [store, other] : [other, store]
          await one.put(`busy/deep/${index}`, Buffer.from(String(index)))
          await two.delete(`busy/deep/${index}`)
        }),
      )
      expect(await keysOf(store, { prefix: 'busy/' })).toEqual([])
    })

    it('lists keys in the order of their bytes, by any prefix and after any key', async () => {
      const keys = ['l/a-b', 'l/a/1', 'l/a/2', 'l/a0', 'l/b', 'l/B', 'l/c/d/e', 'l/c+', 'm', 'l/z=1/x', 'l/~']
      for (const key of keys) await store.put(key, Buffer.from(key))
      const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      const listed = sorted.filter((key) => key.startsWith('l/'))
      expect(await keysOf(other, { prefix: 'l/' })).toEqual(listed)
      for (const prefix of ['l/a', 'l/a/', 'l/c/d/e', 'l/none', 'l', 'l/c'])
        expect(await keysOf(other, { prefix })).toEqual(sorted.filter((key) => key.startsWith(prefix)))
      for (const after of [...listed, 'l/', 'l/a/', 'l/a/15', 'l/c/', 'zz'])
        expect(await keysOf(other, { prefix: 'l/', after })).toEqual(listed.filter((key) => key > after))
      const [first] = await infosOf(other, 'l/a/1')
      expect(first).toMatchObject({ key: 'l/a/1', bytes: 5 })
      expect(Math.abs((first as ObjectInfo).modifiedAt.getTime() - Date.now())).toBeLessThan(3_600_000)
    })

    it('lists more objects than one page of a server holds', async () => {
      const keys = Array.from({ length: THREE_PAGES_KEYS }, (_, index) => `many/${String(index).padStart(5, '0')}`)
      for (let from = 0; from < keys.length; from += 50)
        await Promise.all(keys.slice(from, from + 50).map((key) => store.put(key, Buffer.from('x'))))
      expect(await keysOf(store, { prefix: 'many/' })).toEqual(keys)
    })

    it('stores nothing when the body fails, and passes the error of the body on', async () => {
      for (const bytes of [100, THREE_PARTS_BYTES]) {
        const failure = Object.assign(new Error('the source broke'), { code: 'ENOENT', syscall: 'read' })
        const key = `broken/${bytes}`
        await expect(store.put(key, failing(bytes, failure))).rejects.toBe(failure)
        expect(await store.head(key)).toBeUndefined()
      }
      expect(await store.removeAbandonedUploads(new Date(Date.now() + 3_600_000))).toBe(0)
    })

    it('stores nothing when the signal ends a put, also while the body hangs', async () => {
      for (const bytes of [100, THREE_PARTS_BYTES]) {
        const controller = new AbortController()
        const reason = new Error('no longer wanted')
        const key = `aborted/${bytes}`
        const body = hanging(bytes, () => controller.abort(reason))
        const putting = store.put(key, body, { signal: controller.signal })
        await expect(putting).rejects.toBe(reason)
        expect(await store.head(key)).toBeUndefined()
      }
      expect(await store.removeAbandonedUploads(new Date(Date.now() + 3_600_000))).toBe(0)
    })

    it('ends the body with an error when the signal ends a read', async () => {
      await store.put('read-aborted', Buffer.alloc(PART_BYTES))
      const controller = new AbortController()
      const { body } = await store.get('read-aborted', { signal: controller.signal })
      const reading = (async () => {
        for await (const _ of body) {
          controller.abort()
          await delay(10)
        }
      })()
      await expect(reading).rejects.toMatchObject({ name: 'AbortError' })
    })

    it('rejects keys that leave the store, and keys that a driver cannot hold', async () => {
      const bad = ['', '/', '/a', 'a/', 'a//b', '.', '..', '../a', 'a/../b', 'a/.hidden', '.uploads/x', 'a\\b', 'a\0b']
      for (const key of [...bad, 'ä', 'a b', 'a?b', 'a%2e%2e', 'x'.repeat(1025), `a/${'x'.repeat(201)}`]) {
        const invalid = { code: 'OBJECT_KEY_INVALID', kind: 'invalid' }
        await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject(invalid)
        await expect(store.get(key)).rejects.toMatchObject(invalid)
        await expect(store.head(key)).rejects.toMatchObject(invalid)
        await expect(store.delete(key)).rejects.toMatchObject(invalid)
      }
    })

    it('rejects calls after it was closed', async () => {
      const closed = await under.open()
      await closed.check()
      await closed.close()
      await expect(closed.check()).rejects.toMatchObject({ code: 'OBJECT_STORE_UNAVAILABLE' })
      await expect(closed.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'OBJECT_STORE_UNAVAILABLE' })
      await expect(keysOf(closed, {})).rejects.toMatchObject({ code: 'OBJECT_STORE_UNAVAILABLE' })
    })
  })
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function read(store: ObjectStore, key: string): Promise<Buffer> {
  return await collect((await store.get(key)).body)
}

async function keysOf(store: ObjectStore, options: { prefix?: string; after?: string }): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(options)) keys.push(key)
  return keys
}

async function infosOf(store: ObjectStore, prefix: string): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = []
  for await (const info of store.list({ prefix })) infos.push(info)
  return infos
}

async function* iterate(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  await Promise.resolve()
  yield* pieces
}

async function* failing(bytes: number, failure: Error): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += MIB) yield await Promise.resolve(Buffer.alloc(Math.min(MIB, bytes - sent)))
  throw failure
}

/** Calls `onHang` when everything was read, while the reader waits for more. */
async function* hanging(bytes: number, onHang: () => void): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += MIB) yield Buffer.alloc(Math.min(MIB, bytes - sent))
  setImmediate(onHang)
  await new Promise(() => undefined)
}
