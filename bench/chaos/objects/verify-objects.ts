import type { ObjectStore } from '@millrace/object-store'
import { findVersion } from './object-body.js'
import type { KeyState, ObjectHistory } from './object-history.js'

/** Compares every object below the prefix with what may be there, byte for byte, and the list with what can be read. */
export async function verifyObjects(
  store: ObjectStore,
  history: ObjectHistory,
  prefix: string,
): Promise<{ compared: number; faults: string[] }> {
  const faults: string[] = []
  const found = new Map<string, number>()
  for (const [key, own] of history.keys) {
    if (!key.startsWith(prefix)) continue
    const reason = own.fault()
    if (reason !== undefined) faults.push(`${key}: ${reason}`)
    const possible = own.possible()
    const state = await readState(store, key, possible)
    if (state === undefined || !possible.includes(state))
      faults.push(`${key} is ${describe(state)} and must be ${possible.map(describe).join(' or ')}`)
    if (state !== undefined && state !== 'absent') found.set(key, state.bytes)
  }
  for await (const { key, bytes } of store.list({ prefix })) {
    if (found.get(key) !== bytes)
      faults.push(`the list has ${key} with ${bytes} bytes, but ${found.get(key)} were read`)
    found.delete(key)
  }
  for (const key of found.keys()) faults.push(`the list does not have ${key}`)
  const compared = [...history.keys.keys()].filter((key) => key.startsWith(prefix)).length
  return { compared, faults }
}

/** Undefined when the object is none of the possible ones. */
async function readState(
  store: ObjectStore,
  key: string,
  possible: readonly KeyState[],
): Promise<KeyState | undefined> {
  const info = await store.head(key)
  if (info === undefined) return 'absent'
  const { body } = await store.get(key)
  const versions = possible.filter((state) => state !== 'absent')
  return await findVersion(body, versions)
}

/** Deletes the large objects below the prefix and forgets their keys. */
export async function removeLargeObjects(
  store: ObjectStore,
  history: ObjectHistory,
  { prefix, bytesMin }: { readonly prefix: string; readonly bytesMin: number },
): Promise<void> {
  const large: string[] = []
  for await (const { key, bytes } of store.list({ prefix })) if (bytes >= bytesMin) large.push(key)
  for (const key of large) {
    await store.delete(key)
    history.keys.delete(key)
  }
}

function describe(state: KeyState | undefined): string {
  if (state === undefined) return 'an object that nobody has put'
  return state === 'absent' ? state : `version ${state.id} with ${state.bytes} bytes`
}
