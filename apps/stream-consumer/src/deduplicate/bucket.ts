/**
 * A bucket is a cache line of 16 words: six hashes of two words each (low word first), then six stamps of half a word
 * each. The last word describes the hashes that were placed in a later bucket because this one was full: the newest
 * stamp among them, and a 16-bit filter.
 */
export const BUCKET_WORDS = 16
export const SLOTS = 6
const STAMPS = 12
const OVERFLOW = 15

/**
 * A bit for each slot: set where the slot is empty or its hash has a stamp below `oldest`. Written without branches,
 * because they could not be predicted.
 */
export function freeSlots(words: Int32Array, at: number, oldest: number): number {
  const a = words[at + STAMPS] as number
  const b = words[at + STAMPS + 1] as number
  const c = words[at + STAMPS + 2] as number
  return (
    (((a & 0xffff) - oldest) >>> 31) |
    ((((a >>> 16) - oldest) >>> 31) << 1) |
    ((((b & 0xffff) - oldest) >>> 31) << 2) |
    ((((b >>> 16) - oldest) >>> 31) << 3) |
    ((((c & 0xffff) - oldest) >>> 31) << 4) |
    ((((c >>> 16) - oldest) >>> 31) << 5)
  )
}

/**
 * The slot that holds a hash, or -1. `free` comes from `freeSlots`. Unrolled: a loop would take a quarter of the time
 * of an insertion.
 */
export function slotOf(words: Int32Array, at: number, free: number, lo: number, hi: number): number {
  if (words[at] === lo && words[at + 1] === hi && (free & 1) === 0) return 0
  if (words[at + 2] === lo && words[at + 3] === hi && (free & 2) === 0) return 1
  if (words[at + 4] === lo && words[at + 5] === hi && (free & 4) === 0) return 2
  if (words[at + 6] === lo && words[at + 7] === hi && (free & 8) === 0) return 3
  if (words[at + 8] === lo && words[at + 9] === hi && (free & 16) === 0) return 4
  if (words[at + 10] === lo && words[at + 11] === hi && (free & 32) === 0) return 5
  return -1
}

/** Writes a hash into one of the `free` slots. */
export function put(
  words: Int32Array,
  at: number,
  free: number,
  hash: { lo: number; hi: number; stamp: number },
): void {
  const slot = 31 - Math.clz32(free)
  words[at + 2 * slot] = hash.lo
  words[at + 2 * slot + 1] = hash.hi
  setStamp(words, at, slot, hash.stamp)
}

export function stampOf(words: Int32Array, at: number, slot: number): number {
  return ((words[at + STAMPS + (slot >>> 1)] as number) >>> ((slot & 1) * 16)) & 0xffff
}

export function setStamp(words: Int32Array, at: number, slot: number, stamp: number): void {
  const word = at + STAMPS + (slot >>> 1)
  words[word] =
    (slot & 1) === 0 ? ((words[word] as number) & ~0xffff) | stamp : ((words[word] as number) & 0xffff) | (stamp << 16)
}

/** Whether a hash of this bucket may have been placed in a later one. `hi` is the hash's high word. */
export function mayHaveOverflowed(words: Int32Array, at: number, hi: number, oldest: number): boolean {
  const overflow = words[at + OVERFLOW] as number
  return (overflow & 0xffff) >= oldest && ((overflow >>> (16 + (hi & 15))) & 1) !== 0
}

/** Remembers that a hash of this bucket is placed in a later one. */
export function noteOverflow(
  words: Int32Array,
  at: number,
  hi: number,
  { stamp, oldest }: { stamp: number; oldest: number },
): void {
  const overflow = words[at + OVERFLOW] as number
  const newest = overflow & 0xffff
  const filter = newest < oldest ? 0 : overflow & ~0xffff
  words[at + OVERFLOW] = filter | (1 << (16 + (hi & 15))) | Math.max(newest, stamp)
}

/** Lowers every stamp by `by`. Slots whose stamp was not larger become empty. */
export function lowerStamps(words: Int32Array, at: number, by: number): void {
  for (let slot = 0; slot < SLOTS; slot++) setStamp(words, at, slot, Math.max(0, stampOf(words, at, slot) - by))
  const overflow = words[at + OVERFLOW] as number
  words[at + OVERFLOW] = (overflow & 0xffff) > by ? overflow - by : 0
}
