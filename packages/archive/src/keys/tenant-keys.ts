import { randomBytes } from 'node:crypto'
import { MINUTE_MS } from '@millrace/contracts'
import { type ObjectStore, objectStoreErrors } from '@millrace/object-store'
import { archiveErrors } from '../archive-errors.js'
import { readObject } from '../read-object.js'
import type { KeyWrapper } from './master-keys.js'
import { KEY_BYTES } from './seal.js'

/** One version of a tenant's key. Segments name the version that wrapped their data key. */
export interface TenantKey {
  readonly version: number
  readonly key: Buffer
}

export interface TenantKeysDeps {
  readonly store: ObjectStore
  readonly wrapper: KeyWrapper
  /** Monotonic ms. */
  readonly monotonicMs?: () => number
}

/** The file of a wrapped key, see docs/formats/archive.md. */
interface KeyFile {
  readonly format: 1
  readonly tenant: number
  readonly version: number
  readonly master: string
  readonly wrapped: string
}

interface KeyPlace {
  readonly key: string
  readonly version: number
  readonly generation: number
}

const KEY_FILE_BYTES_MAX = 64 * 1024
/** Another process may have begun a new version meanwhile; older versions stay good for writing until then. */
const CURRENT_KEPT_MS = 10 * MINUTE_MS

/**
 * The keys of tenants, in the object store beside the segments, so that the store and a master key are enough to read the archive. A version never
 * changes; to wrap it anew by another master key is another object, a generation. The highest generation is read.
 */
export class TenantKeys {
  readonly #store: ObjectStore
  readonly #wrapper: KeyWrapper
  readonly #monotonicMs: () => number
  readonly #known = new Map<string, Buffer>()
  readonly #current = new Map<number, { readonly key: TenantKey; readonly untilMs: number }>()

  constructor({ store, wrapper, monotonicMs = () => performance.now() }: TenantKeysDeps) {
    this.#store = store
    this.#wrapper = wrapper
    this.#monotonicMs = monotonicMs
  }

  /** The newest version, which is created for a new tenant. */
  async current(tenantId: number): Promise<TenantKey> {
    const cached = this.#current.get(tenantId)
    if (cached !== undefined && this.#monotonicMs() < cached.untilMs) return cached.key
    const places = await this.#places(tenantId)
    const version = Math.max(0, ...places.map((place) => place.version))
    const key = version === 0 ? await this.create(tenantId) : { version, key: await this.read(tenantId, version) }
    this.#current.set(tenantId, { key, untilMs: this.#monotonicMs() + CURRENT_KEPT_MS })
    return key
  }

  /** @throws ARCHIVE_KEY_MISSING, ARCHIVE_CORRUPT */
  async read(tenantId: number, version: number): Promise<Buffer> {
    const name = `${tenantId}/${version}`
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const place = newestOf(await this.#places(tenantId), version)
    if (place === undefined)
      throw archiveErrors.ARCHIVE_KEY_MISSING({
        message: `the archive has no key of tenant ${tenantId} in version ${version}: it was deleted, or this is another archive`,
      })
    const key = await this.#unwrap(tenantId, place)
    this.#known.set(name, key)
    return key
  }

  /** Begins a new version, with which data keys are wrapped from now on. Of several processes at once one succeeds, and the others use its key. */
  async create(tenantId: number): Promise<TenantKey> {
    const version = 1 + Math.max(0, ...(await this.#places(tenantId)).map((place) => place.version))
    try {
      await this.#put(tenantId, { version, generation: 1 }, randomBytes(KEY_BYTES))
    } catch (error) {
      if (!objectStoreErrors.OBJECT_EXISTS.matches(error)) throw error
    }
    this.#current.delete(tenantId)
    return { version, key: await this.read(tenantId, version) }
  }

  /**
   * Wraps all versions of a tenant's key by the current master key. The older forms are deleted once the new one was read back, so that an old master
   * key opens nothing any more. Returns the number of versions that were wrapped. A call that was cut short is completed by the next one.
   */
  async rewrap(tenantId: number): Promise<number> {
    const places = await this.#places(tenantId)
    let rewrapped = 0
    for (const version of new Set(places.map((place) => place.version))) {
      const newest = newestOf(places, version) as KeyPlace
      let kept = newest
      if ((await this.#readFile(newest.key)).master !== this.#wrapper.currentId) {
        const plain = await this.#unwrap(tenantId, newest)
        kept = await this.#put(tenantId, { version, generation: newest.generation + 1 }, plain)
        if (!plain.equals(await this.#unwrap(tenantId, kept)))
          throw archiveErrors.ARCHIVE_CORRUPT({ message: `the key ${kept.key} cannot be read back` })
        rewrapped++
      }
      for (const place of places)
        if (place.version === version && place.key !== kept.key) await this.#store.delete(place.key)
    }
    return rewrapped
  }

  /** The ids of all tenants that have a key. */
  async tenants(): Promise<number[]> {
    const found = new Set<number>()
    for await (const { key } of this.#store.list({ prefix: 'keys/tenant=' }))
      found.add(Number(/^keys\/tenant=(\d+)\//.exec(key)?.[1]))
    return [...found].filter(Number.isSafeInteger).sort((a, b) => a - b)
  }

  async #places(tenantId: number): Promise<KeyPlace[]> {
    const places: KeyPlace[] = []
    for await (const { key } of this.#store.list({ prefix: `keys/tenant=${tenantId}/` })) {
      const match = /\/(\d{6})-(\d{6})\.key$/.exec(key)
      if (match !== null) places.push({ key, version: Number(match[1]), generation: Number(match[2]) })
    }
    return places
  }

  async #put(tenantId: number, { version, generation }: Omit<KeyPlace, 'key'>, plain: Buffer): Promise<KeyPlace> {
    const name = `${String(version).padStart(6, '0')}-${String(generation).padStart(6, '0')}`
    const key = `keys/tenant=${tenantId}/${name}.key`
    const wrapped = await this.#wrapper.wrap(plain, contextOf(tenantId, version))
    const file: KeyFile = {
      format: 1,
      tenant: tenantId,
      version,
      master: this.#wrapper.currentId,
      wrapped: wrapped.toString('base64'),
    }
    await this.#store.put(key, Buffer.from(JSON.stringify(file)), { ifAbsent: true })
    return { key, version, generation }
  }

  async #unwrap(tenantId: number, place: KeyPlace): Promise<Buffer> {
    const { tenant, version, master, wrapped } = await this.#readFile(place.key)
    if (tenant !== tenantId || version !== place.version) throw corrupt(place.key, 'it belongs to another tenant')
    const key = await this.#wrapper.unwrap(master, Buffer.from(wrapped, 'base64'), contextOf(tenantId, version))
    if (key.length !== KEY_BYTES) throw corrupt(place.key, `it has ${key.length} bytes`)
    return key
  }

  async #readFile(key: string): Promise<KeyFile> {
    const bytes = await readObject(this.#store, key, KEY_FILE_BYTES_MAX)
    const file = parse(bytes)
    const isValid =
      file?.format === 1 &&
      typeof file.tenant === 'number' &&
      typeof file.version === 'number' &&
      typeof file.master === 'string' &&
      typeof file.wrapped === 'string'
    if (!isValid) throw corrupt(key, 'it is not a wrapped key')
    return file as KeyFile
  }
}

function newestOf(places: readonly KeyPlace[], version: number): KeyPlace | undefined {
  return places
    .filter((place) => place.version === version)
    .sort((a, b) => a.generation - b.generation)
    .at(-1)
}

function contextOf(tenantId: number, version: number): string {
  return `millrace archive tenant key 1\n${tenantId}\n${version}\n`
}

function parse(bytes: Buffer): Partial<KeyFile> | undefined {
  try {
    return JSON.parse(bytes.toString()) as Partial<KeyFile>
  } catch {
    return undefined
  }
}

function corrupt(key: string, reason: string): Error {
  return archiveErrors.ARCHIVE_CORRUPT({ message: `the key ${key} cannot be used: ${reason}`, details: { key } })
}
