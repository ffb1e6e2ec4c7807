import { type Hash64, hashText } from '@millrace/contracts'
import { paginationErrors } from './errors.js'

/**
 * The items on the pages before, for a ranking that changes while events come in. A position would leave out an item that has risen above it and repeat one that
 * has sunk below. Up to FINGERPRINTS_MAX items each have a fingerprint of their own, so the next page takes the first items without one; above that there is
 * a single fingerprint of all, which tells whether the first `count` items are still the same.
 */
export interface ShownItems {
  readonly count: number
  /** 6 bytes each. */
  readonly fingerprints: Uint8Array
}

/** 3,000 bytes, almost all that a cursor can hold. */
const FINGERPRINTS_MAX = 500
const FINGERPRINT_BYTES = 6

/** Before the first page. */
export const NONE_SHOWN: ShownItems = { count: 0, fingerprints: new Uint8Array() }

/** Whether `addShown` may have made it: a cursor may be forged. */
export function isShownItems(count: unknown, fingerprints: unknown): boolean {
  if (!Number.isSafeInteger(count) || (count as number) < 1 || !(fingerprints instanceof Uint8Array)) return false
  const kept = (count as number) > FINGERPRINTS_MAX ? 1 : (count as number)
  return fingerprints.length === kept * FINGERPRINT_BYTES
}

/** The first `limit` items of `ranked` that were on no page before, and one more if there is one. @throws CURSOR_OUTDATED */
export function takeUnshown<Item>(
  ranked: readonly Item[],
  { count, fingerprints }: ShownItems,
  { limit, nameOf }: { readonly limit: number; readonly nameOf: (item: Item) => string },
): Item[] {
  if (count > FINGERPRINTS_MAX) {
    const first = combine(ranked.slice(0, count).map((item) => fingerprintOf(nameOf(item))))
    if (ranked.length < count || first !== listFingerprints(fingerprints)[0]) throw paginationErrors.CURSOR_OUTDATED()
    return ranked.slice(count, count + limit + 1)
  }
  const known = new Set(listFingerprints(fingerprints))
  const unshown: Item[] = []
  for (const item of ranked) {
    if (unshown.length > limit) break
    if (known.size === 0 || !known.has(fingerprintOf(nameOf(item)))) unshown.push(item)
  }
  return unshown
}

/** Adds the items of a page to those shown before. */
export function addShown({ count, fingerprints }: ShownItems, names: readonly string[]): ShownItems {
  const total = count + names.length
  const all = [...listFingerprints(fingerprints), ...names.map(fingerprintOf)]
  return { count: total, fingerprints: toBytes(total <= FINGERPRINTS_MAX ? all : [combine(all)]) }
}

const hash: Hash64 = { lo: 0, hi: 0 }

/** 48 bits of a hash. */
function fingerprintOf(name: string): number {
  hashText(name, 0, hash)
  return (hash.hi & 0xffff) * 2 ** 32 + hash.lo
}

/** The same for the same items in any order. */
function combine(fingerprints: readonly number[]): number {
  let [high, low] = [0, 0]
  for (const fingerprint of fingerprints) {
    high ^= Math.floor(fingerprint / 2 ** 32)
    low ^= fingerprint % 2 ** 32
  }
  return high * 2 ** 32 + (low >>> 0)
}

function listFingerprints(fingerprints: Uint8Array): number[] {
  const bytes = Buffer.from(fingerprints)
  return Array.from({ length: bytes.length / FINGERPRINT_BYTES }, (_, index) =>
    bytes.readUIntBE(index * FINGERPRINT_BYTES, FINGERPRINT_BYTES),
  )
}

function toBytes(fingerprints: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(fingerprints.length * FINGERPRINT_BYTES)
  for (const [index, one] of fingerprints.entries())
    bytes.writeUIntBE(one, index * FINGERPRINT_BYTES, FINGERPRINT_BYTES)
  return bytes
}
