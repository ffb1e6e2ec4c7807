import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { findTestS3, startTestS3, type TestS3 } from '@millrace/testing'
import { type ObjectStore, openObjectStore, parseObjectStoreUrl } from '../src/index.js'

const MIB = 1024 ** 2
const WRITER = fileURLToPath(new URL('put-until-killed.mjs', import.meta.url))
const HOUR_MS = 3_600_000

async function read(store: ObjectStore, key: string): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of (await store.get(key)).body as AsyncIterable<Uint8Array>) pieces.push(piece)
  return Buffer.concat(pieces)
}

describe('the object store in a folder', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-objects-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  it('holds every acknowledged object whole after its writer was killed, and can remove what the writer left', async () => {
    for (let round = 0; round < 4; round++) {
      const root = join(directory, String(round))
      const writer = spawn(process.execPath, [WRITER, root], { stdio: ['ignore', 'pipe', 'inherit'] })
      let acknowledged = ''
      for await (const text of writer.stdout.setEncoding('utf8')) {
        acknowledged += text
        if (acknowledged.split('\n').length > 12 + round * 5) break
      }
      writer.kill('SIGKILL')
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
      const store = await openObjectStore({ driver: 'file', directory: root })
      const keys = acknowledged.split('\n').slice(0, -1)
      expect(keys.length).toBeGreaterThan(10)
      for (const key of keys) {
        const number = Number(key.split('/')[1])
        expect((await read(store, key)).equals(Buffer.alloc(300_000 + number, number))).toBe(true)
      }
      for await (const { key, bytes } of store.list()) expect(bytes).toBe(300_000 + Number(key.split('/')[1]))
      await store.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))
      expect(readdirSync(join(root, '.uploads'))).toEqual([])
      await store.close()
    }
  })

  it('removes only uploads that are older than the given time', async () => {
    const root = join(directory, 'uploads')
    const store = await openObjectStore({ driver: 'file', directory: root })
    writeFileSync(join(root, '.uploads/abandoned'), 'half an object')
    expect(await store.removeAbandonedUploads(new Date(Date.now() - HOUR_MS))).toBe(0)
    expect(await store.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))).toBe(1)
    expect(existsSync(join(root, '.uploads/abandoned'))).toBe(false)
  })

  it('rejects a key whose folder is an object, and a key that is the folder of an object', async () => {
    const store = await openObjectStore({ driver: 'file', directory: join(directory, 'conflict') })
    await store.put('a', Buffer.from('x'))
    await store.put('b/c', Buffer.from('x'))
    for (const ifAbsent of [false, true]) {
      const invalid = { code: 'OBJECT_KEY_INVALID', details: expect.anything() }
      await expect(store.put('a/b', Buffer.from('y'), { ifAbsent })).rejects.toMatchObject(invalid)
      if (!ifAbsent) await expect(store.put('b', Buffer.from('y'), { ifAbsent })).rejects.toMatchObject(invalid)
    }
    expect((await read(store, 'a')).toString()).toBe('x')
  })

  it('says which folder cannot be used when a file has its name', async () => {
    const path = join(directory, 'a-file')
    writeFileSync(path, '')
    await expect(openObjectStore({ driver: 'file', directory: path })).rejects.toThrow(
      `opening the object store in ${path}: ENOTDIR`,
    )
  })

  it('does not follow a symbolic link that somebody put in the place of an object', async () => {
    const root = join(directory, 'links')
    const store = await openObjectStore({ driver: 'file', directory: root })
    mkdirSync(join(root, 'x'))
    symlinkSync('/etc/passwd', join(root, 'x/link'))
    await expect(store.get('x/link')).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' })
    expect(await store.head('x/link')).toBeUndefined()
  })
})

const found = findTestS3()
const describeWithS3 = typeof found === 'string' ? describe.skip : describe
if (typeof found === 'string') console.warn(`NOT TESTED: crashes of an S3 server, because ${found}`)

describeWithS3('the object store on an S3 server', () => {
  let server: TestS3
  let store: ObjectStore
  beforeAll(async () => {
    server = await startTestS3(found as Exclude<typeof found, string>)
    store = await openObjectStore(parseObjectStoreUrl(`${server.url}`), { credentials: server.credentials })
  })
  afterAll(async () => {
    await store?.close()
    await server?.stop()
  })

  it('stores an object whole or not at all when the server is killed during a multipart upload, and a second put succeeds', async () => {
    // The body has three parts of 16 MiB at most; the server is killed before the first part is full, after it, and after the second part.
    const body = randomBytes(36 * MIB)
    for (const killAtMib of [1, 17, 34]) {
      const key = `killed/${killAtMib}`
      const putting = store.put(
        key,
        piecesThat(body, killAtMib * MIB, () => server.kill()),
      )
      const outcome = await putting.then(
        () => 'stored',
        (error: { code: string }) => error.code,
      )
      expect(outcome).toBe('OBJECT_STORE_UNAVAILABLE')
      await server.restart()
      const info = await store.head(key)
      if (info !== undefined) expect((await read(store, key)).equals(body)).toBe(true)
      await store.put(key, body)
      expect((await read(store, key)).equals(body)).toBe(true)
    }
    expect(await store.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))).toBeGreaterThan(0)
    expect(await store.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))).toBe(0)
  })

  it('keeps every acknowledged object when the server is killed while many are stored', async () => {
    const acknowledged: string[] = []
    const body = (index: number) => Buffer.alloc(50_000 + index, index)
    const putting = Array.from({ length: 4 }, async (_, writer) => {
      for (let turn = 0; turn < 40; turn++) {
        const index = writer * 100 + turn
        try {
          await store.put(`acknowledged/${index}`, body(index))
          acknowledged.push(`acknowledged/${index}`)
        } catch (error) {
          expect(error).toMatchObject({ code: 'OBJECT_STORE_UNAVAILABLE', retryable: true })
        }
        if (writer === 0 && turn === 10) {
          await server.kill()
          await server.restart()
        }
      }
    })
    await Promise.all(putting)
    expect(acknowledged.length).toBeGreaterThan(50)
    for (const key of acknowledged) expect((await read(store, key)).equals(body(Number(key.split('/')[1])))).toBe(true)
  })

  it('ends the body with an error when the server is killed while an object is read', async () => {
    await store.put('read', randomBytes(48 * MIB))
    const { body } = await store.get('read')
    let bytes = 0
    const reading = (async () => {
      for await (const piece of body as AsyncIterable<Uint8Array>) {
        if (bytes === 0) await server.kill()
        bytes += piece.length
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'OBJECT_STORE_UNAVAILABLE' })
    expect(bytes).toBeLessThan(48 * MIB)
    await server.restart()
  })

  it.each([
    [
      'a wrong key',
      { credentials: { accessKeyId: 'nobody', secretAccessKey: 'x' } },
      'No user exists with the provided access key ID',
    ],
    ['a missing bucket', { url: (url: string) => url.replace('archive', 'missing') }, 'NoSuchBucket'],
    ['a wrong region', { url: (url: string) => `${url}&region=eu-central-1` }, 'the region "eu-central-1" is wrong'],
  ])('says what the server refuses: %s', async (_, change: object, reason) => {
    const { credentials, url } = change as { credentials?: TestS3['credentials']; url?: (url: string) => string }
    const address = parseObjectStoreUrl(url?.(server.url) ?? server.url)
    const wrong = await openObjectStore(address, { credentials: credentials ?? server.credentials })
    await expect(wrong.check()).rejects.toThrow(reason)
    await expect(wrong.put('a', Buffer.from('x'))).rejects.toMatchObject({
      code: 'OBJECT_STORE_REFUSED',
      retryable: false,
    })
    await expect(wrong.get('a')).rejects.toMatchObject({ code: 'OBJECT_STORE_REFUSED' })
    await wrong.close()
  })

  it('keeps the objects of two prefixes of a bucket apart', async () => {
    const stores = await Promise.all(
      ['one', 'two/deep'].map((prefix) =>
        openObjectStore(parseObjectStoreUrl(server.url.replace('archive?', `archive/${prefix}?`)), {
          credentials: server.credentials,
        }),
      ),
    )
    for (const [index, one] of stores.entries()) await one.put('same/key', Buffer.from(String(index)))
    for (const [index, one] of stores.entries()) {
      expect((await read(one, 'same/key')).toString()).toBe(String(index))
      const keys: string[] = []
      for await (const { key } of one.list()) keys.push(key)
      expect(keys).toEqual(['same/key'])
      await one.close()
    }
  })
})

/** The bytes in pieces of 1 MiB; `act` is called before the byte `at`. */
async function* piecesThat(body: Buffer, at: number, act: () => Promise<void>): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < body.length; from += MIB) {
    if (from === at) await act()
    yield body.subarray(from, from + MIB)
  }
}
