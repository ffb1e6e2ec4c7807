import { type ObjectStore, objectStoreErrors } from '@millrace/object-store'
import { archiveErrors } from '../archive-errors.js'
import { readObject } from '../read-object.js'
import type { ChainId } from '../segment/entry.js'
import { type ChainObject, decodeObject, OBJECT_BYTES_MAX } from '../segment/segment-file.js'

/** The folder of a chain. */
export function chainPrefix({ tenantId, stream, day }: ChainId): string {
  return `segments/tenant=${tenantId}/stream=${stream}/day=${day}/`
}

/** The key of the object with an entry. */
export function entryKey(chain: ChainId, seq: number): string {
  return `${chainPrefix(chain)}${String(seq).padStart(8, '0')}.seg`
}

/**
 * Stores an object unless its key is taken. Returns the object that is stored: this one, or the one that a process wrote which ended before it could
 * note it in the database, or which was faster.
 */
export async function putEntry(
  store: ObjectStore,
  { chain, seq, bytes }: { readonly chain: ChainId; readonly seq: number; readonly bytes: Buffer },
): Promise<ChainObject> {
  const key = entryKey(chain, seq)
  try {
    await store.put(key, bytes, { ifAbsent: true })
  } catch (error) {
    if (!objectStoreErrors.OBJECT_EXISTS.matches(error)) throw error
    return await readEntry(store, chain, seq)
  }
  return decodeObject(key, bytes, { ...chain, seq })
}

/** @throws ARCHIVE_SEGMENT_MISSING and the errors of `decodeObject` */
export async function readEntry(store: ObjectStore, chain: ChainId, seq: number): Promise<ChainObject> {
  const key = entryKey(chain, seq)
  let bytes: Buffer
  try {
    bytes = await readObject(store, key, OBJECT_BYTES_MAX)
  } catch (error) {
    if (!objectStoreErrors.OBJECT_NOT_FOUND.matches(error)) throw error
    throw archiveErrors.ARCHIVE_SEGMENT_MISSING({ message: `the object ${key} is missing`, details: { key } })
  }
  return decodeObject(key, bytes, { ...chain, seq })
}
