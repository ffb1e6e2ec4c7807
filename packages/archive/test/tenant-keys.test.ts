import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type ObjectStore, openObjectStore } from '@millrace/object-store'
import { createMasterKeys, type KeyWrapper, parseMasterKeys, TenantKeys } from '../src/index.js'

const OLD = randomBytes(32)
const NEW = randomBytes(32)

describe('the keys of tenants', () => {
  let directory: string
  let store: ObjectStore
  const keysOf = (...masters: Buffer[]) => new TenantKeys({ store, wrapper: createMasterKeys(masters) })
  const names = async () => {
    const found: string[] = []
    for await (const { key } of store.list()) found.push(key)
    return found
  }
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-keys-'))
    store = await openObjectStore({ driver: 'file', directory })
  })
  afterEach(async () => {
    await store.close()
    rmSync(directory, { recursive: true })
  })

  it('are the same in every process, also when several processes create the first key of a tenant at once', async () => {
    const created = await Promise.all(Array.from({ length: 8 }, () => keysOf(OLD).current(1)))
    expect(new Set(created.map(({ key }) => key.toString('hex'))).size).toBe(1)
    expect(created[0]?.version).toBe(1)
    expect((await keysOf(OLD).current(2)).key.equals((await keysOf(OLD).current(1)).key)).toBe(false)
  })

  it('are wrapped anew by a new master key, after which the old master key opens nothing', async () => {
    const { key } = await keysOf(OLD).current(1)
    await keysOf(OLD).create(1)
    const both = keysOf(NEW, OLD)
    expect(await both.rewrap(1)).toBe(2)
    expect(await both.rewrap(1)).toBe(0)
    expect((await keysOf(NEW).read(1, 1)).equals(key)).toBe(true)
    await expect(keysOf(OLD).read(1, 1)).rejects.toMatchObject({ code: 'ARCHIVE_KEY_MISSING' })
    expect(await names()).toEqual(['keys/tenant=1/000001-000002.key', 'keys/tenant=1/000002-000002.key'])
  })

  it('can be read after a rotation that was interrupted, and the next rotation completes it', async () => {
    const { key } = await keysOf(OLD).current(1)
    const failing = new Proxy(store, {
      get: (target, name) =>
        name === 'delete'
          ? () => Promise.reject(new Error('the process ended'))
          : (target as unknown as Record<string | symbol, (...all: unknown[]) => unknown>)[name]?.bind(target),
    })
    await expect(new TenantKeys({ store: failing, wrapper: createMasterKeys([NEW, OLD]) }).rewrap(1)).rejects.toThrow(
      'the process ended',
    )
    expect((await keysOf(NEW, OLD).read(1, 1)).equals(key)).toBe(true)
    await keysOf(NEW, OLD).rewrap(1)
    expect(await names()).toEqual(['keys/tenant=1/000001-000002.key'])
  })

  it('have a new version after a rotation of the tenant, and the versions before it stay readable', async () => {
    const keys = keysOf(OLD)
    const first = await keys.current(1)
    const second = await keys.create(1)
    expect(second.version).toBe(2)
    expect(second.key.equals(first.key)).toBe(false)
    expect((await keysOf(OLD).current(1)).version).toBe(2)
    expect((await keysOf(OLD).read(1, 1)).equals(first.key)).toBe(true)
  })

  it('are refused when their file was modified, belongs to another tenant, or is no key', async () => {
    await keysOf(OLD).current(1)
    const { body } = await store.get('keys/tenant=1/000001-000001.key')
    const file = Buffer.concat((await body.toArray()) as Buffer[])
    await store.put('keys/tenant=2/000001-000001.key', file)
    const moved = Buffer.from(file.toString().replace('"tenant":1', '"tenant":3'))
    await store.put('keys/tenant=3/000001-000001.key', moved)
    await store.put('keys/tenant=4/000001-000001.key', Buffer.from('{}'))
    await store.put('keys/tenant=5/000001-000001.key', Buffer.alloc(100_000))
    for (const tenant of [2, 3, 4, 5])
      await expect(keysOf(OLD).read(tenant, 1)).rejects.toMatchObject({ code: 'ARCHIVE_CORRUPT' })
    await expect(keysOf(OLD).read(6, 1)).rejects.toMatchObject({ code: 'ARCHIVE_KEY_MISSING' })
  })

  it('can be wrapped by a key management service', async () => {
    const local = createMasterKeys([OLD])
    const calls: string[] = []
    const service: KeyWrapper = {
      currentId: 'arn:aws:kms:eu-central-1:1:key/2',
      wrap: async (key, context) => {
        calls.push('wrap')
        return await local.wrap(key, context)
      },
      unwrap: async (id, wrapped, context) => {
        calls.push(`unwrap ${id}`)
        return await local.unwrap(local.currentId, wrapped, context)
      },
    }
    const created = await new TenantKeys({ store, wrapper: service }).current(1)
    const keys = new TenantKeys({ store, wrapper: service })
    expect((await keys.read(1, 1)).equals(created.key)).toBe(true)
    await keys.read(1, 1)
    expect(calls).toEqual(['wrap', `unwrap ${service.currentId}`, `unwrap ${service.currentId}`])
  })
})

describe('master keys', () => {
  it('are read from Base64, separated by commas or lines', () => {
    const text = `${OLD.toString('base64')},\n${NEW.toString('base64')}\n`
    expect(parseMasterKeys(text).map((key) => key.toString('hex'))).toEqual(
      [OLD, NEW].map((key) => key.toString('hex')),
    )
  })

  it('are refused when they are too short, not Base64 or not random, without a part of them in the message', () => {
    for (const word of ['c2hvcnQ=', `${'!'.repeat(43)}=`, Buffer.alloc(32, 65).toString('base64'), 'a'.repeat(44)]) {
      expect(() => parseMasterKeys(word)).toThrow(/master key 1/)
      expect(() => parseMasterKeys(word)).not.toThrow(word)
    }
    expect(() => createMasterKeys([])).toThrow('there is no master key')
  })
})
