import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { canMountSmallDisk, mountSmallDisk, type SmallDisk } from '@millrace/local-stack'
import { findTestS3, startTestS3, type TestS3 } from '@millrace/testing'
import { type ObjectStore, openObjectStore, parseObjectStoreUrl } from '../src/index.js'

const MIB = 1024 ** 2
const HOUR_MS = 3_600_000

const found = findTestS3()
if (typeof found === 'string') console.warn(`NOT TESTED: a full disk of an S3 server, because ${found}`)
const isPossible = typeof found !== 'string' && canMountSmallDisk('a full disk of an S3 server')

async function read(store: ObjectStore, key: string): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of (await store.get(key)).body as AsyncIterable<Uint8Array>) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list()) keys.push(key)
  return keys
}

const describeOnDisk = isPossible ? describe : describe.skip

describeOnDisk('the object store on an S3 server whose disk is full', () => {
  const kept = randomBytes(MIB)
  let disk: SmallDisk
  let server: TestS3
  let store: ObjectStore
  beforeAll(async () => {
    disk = mountSmallDisk(48 * MIB) as SmallDisk
    server = await startTestS3(found as Exclude<typeof found, string>, { directory: disk.path })
    store = await openObjectStore(parseObjectStoreUrl(server.url), { credentials: server.credentials })
    await store.put('kept', kept)
  })
  afterAll(async () => {
    await store?.close()
    await server?.stop()
    disk?.remove()
  })

  it('rejects an upload that fills the disk, and gives the room of its parts back', async () => {
    for (const ifAbsent of [false, true]) {
      const putting = store.put(ifAbsent ? 'new' : 'kept', randomBytes(64 * MIB), { ifAbsent })
      await expect(putting).rejects.toMatchObject({ code: 'OBJECT_STORE_FULL', retryable: true })
    }
    expect(await keysOf(store)).toEqual(['kept'])
    expect((await read(store, 'kept')).equals(kept)).toBe(true)
    await store.put('fits', randomBytes(15 * MIB))
    await store.delete('fits')
  })

  it('rejects a put while there is no room, keeps the old object although the server is killed then, and works again when there is room', async () => {
    disk.fill()
    await expect(store.put('kept', randomBytes(2 * MIB))).rejects.toMatchObject({ code: 'OBJECT_STORE_FULL' })
    await server.kill()
    await server.restart()
    expect((await read(store, 'kept')).equals(kept)).toBe(true)
    await expect(store.put('new', randomBytes(2 * MIB))).rejects.toMatchObject({ code: 'OBJECT_STORE_FULL' })
    expect(await keysOf(store)).toEqual(['kept'])
    disk.free()
    await store.put('new', kept)
    expect((await read(store, 'new')).equals(kept)).toBe(true)
    await store.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))
  })
})
