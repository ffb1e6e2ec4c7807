import { objectStoreErrors } from './object-store-errors.js'

/** S3's limit; a file system has another one for each part. */
const KEY_LENGTH_MAX = 1024
const PART_LENGTH_MAX = 200
const PART = /^[A-Za-z0-9_=+@:,~-][A-Za-z0-9._=+@:,~-]*$/

/**
 * Checks a key, see `ObjectStore`. A part that cannot begin with a dot cannot leave the folder of the store either.
 * @throws OBJECT_KEY_INVALID
 */
export function checkKey(key: string): void {
  const fault = findFault(key)
  if (fault !== undefined)
    throw objectStoreErrors.OBJECT_KEY_INVALID({
      message: `the key ${JSON.stringify(key.slice(0, 100))} of an object is not valid: ${fault}`,
    })
}

/** Whether a store can hold an object with this key. What others put into the folder or bucket under another name is no object. */
export function isValidKey(key: string): boolean {
  return findFault(key) === undefined
}

function findFault(key: string): string | undefined {
  if (key.length > KEY_LENGTH_MAX) return `it has more than ${KEY_LENGTH_MAX} characters`
  for (const part of key.split('/')) {
    if (part === '') return 'it has an empty part'
    if (part.startsWith('.')) return 'a part begins with a dot'
    if (part.length > PART_LENGTH_MAX) return `a part has more than ${PART_LENGTH_MAX} characters`
    if (!PART.test(part)) return 'it has a character other than A-Z a-z 0-9 . _ = + @ : , ~ -'
  }
  return undefined
}
