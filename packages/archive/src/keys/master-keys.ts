import { createHash } from 'node:crypto'
import { archiveErrors } from '../archive-errors.js'
import { KEY_BYTES, open, seal } from './seal.js'

/**
 * Wraps the keys of tenants: by keys of this process (`createMasterKeys`) or by a key management service. Implementations keep no plaintext. A wrapped
 * key must be readable for as long as the archive: a service must keep the versions of its key that it has used.
 */
export interface KeyWrapper {
  /** Id of the master key that wraps from now on; stored beside each wrapped key. 1 to 200 characters. */
  readonly currentId: string
  /** Encrypts a key of 32 bytes by the current master key. `context` must be authenticated. Rejects when the service cannot be reached. */
  wrap(key: Buffer, context: string): Promise<Buffer>
  /** Decrypts it again. @throws ARCHIVE_KEY_MISSING when the master key with this id is not known; ARCHIVE_CORRUPT */
  unwrap(id: string, wrapped: Buffer, context: string): Promise<Buffer>
}

/** Master keys in memory. The first one wraps; the others only read what they once wrapped. */
export function createMasterKeys(keys: readonly Buffer[]): KeyWrapper {
  const [current] = keys
  if (current === undefined) throw archiveErrors.ARCHIVE_KEY_INVALID({ message: 'there is no master key' })
  const byId = new Map(keys.map((key) => [masterKeyId(key), key]))
  return {
    currentId: masterKeyId(current),
    async wrap(key, context) {
      return seal(current, key, context)
    },
    async unwrap(id, wrapped, context) {
      const key = byId.get(id)
      if (key === undefined)
        throw archiveErrors.ARCHIVE_KEY_MISSING({
          message: `the master key ${id} is not among the ${keys.length} that are configured`,
        })
      const plain = open(key, wrapped, context)
      if (plain === undefined)
        throw archiveErrors.ARCHIVE_CORRUPT({ message: 'the wrapped key of a tenant is not what was written' })
      return plain
    },
  }
}

/** Tells keys apart without revealing them. */
function masterKeyId(key: Buffer): string {
  return createHash('sha256').update('millrace archive master key 1\n').update(key).digest('hex').slice(0, 16)
}

/**
 * Reads master keys: each 32 random bytes in Base64, separated by commas or white space.
 * @throws ARCHIVE_KEY_INVALID; the message holds no part of a key
 */
export function parseMasterKeys(text: string): Buffer[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  return words.map((word, index) => {
    const key = Buffer.from(word, 'base64')
    const isBase64 = /^[A-Za-z0-9+/]{43}=?$/.test(word)
    if (!isBase64 || key.length !== KEY_BYTES)
      throw archiveErrors.ARCHIVE_KEY_INVALID({
        message: `master key ${index + 1} must be 32 random bytes in Base64, as openssl rand -base64 32 prints them`,
      })
    if (new Set(key).size < 8)
      throw archiveErrors.ARCHIVE_KEY_INVALID({ message: `master key ${index + 1} is not random` })
    return key
  })
}
