import {
  BUCKET_WORDS,
  freeSlots,
  lowerStamps,
  mayHaveOverflowed,
  noteOverflow,
  put,
  SLOTS,
  setStamp,
  slotOf,
  stampOf,
} from './bucket.js'

const BUCKETS_MIN = 64
const GROWTH = 1.4
/** Hashes per slot. At the upper bound, one hash in twelve finds its bucket full. */
const LOAD_MAX = 0.5
const LOAD_MIN = 0.2

/** The largest possible stamp. */
export const STAMP_MAX = 0xffff

/** Most hashes in one call of `add`: their buckets fit into the first-level cache. */
export const ADD_MAX = 128

/** The stamp of new hashes, and the smallest stamp whose hashes are still in the set. Stamps begin at 1. */
export interface Stamps {
  readonly newest: number
  readonly oldest: number
}

/**
 * A set of 64-bit hashes in which each hash has a stamp. Raising the smallest stamp in use removes all hashes with
 * lower stamps at once: their slots simply count as free. A look-up or insertion reads one bucket, seldom two (linear
 * probing). A hash takes about 25 bytes, none of them on the JavaScript heap. Hashes are pairs of words, low word
 * first.
 */
export class StampedHashSet {
  #words: Int32Array
  /** The first word of the hash's bucket plus its slot, or -1. */
  readonly #homes = new Int32Array(ADD_MAX)
  /** Written by `#prefetch`, so that its loads are not optimised away. */
  prefetched = 0

  /** `phase` is from 0 to 1. Sets of equal size with different phases grow at different times. */
  constructor(phase: number) {
    this.#words = emptyTable(Math.round(BUCKETS_MIN * GROWTH ** phase))
  }

  /** Grows or shrinks the table for `size` hashes. Then all hashes are moved, which takes 10 to 20 ms per million. */
  fit(size: number, oldest: number): void {
    const buckets = this.#words.length / BUCKET_WORDS
    if (size > buckets * SLOTS * LOAD_MAX) this.#resize(Math.max(buckets * GROWTH, size / SLOTS / LOAD_MAX), oldest)
    else if (size < buckets * SLOTS * LOAD_MIN && buckets >= BUCKETS_MIN * GROWTH)
      this.#resize(buckets / GROWTH, oldest)
  }

  /**
   * Inserts the pairs `from` to `to` (exclusive) of `hashes`. Sets `isNew` to 1 for each hash that was not in the
   * set, and to 0 for the others, including repetitions within the call. Returns the number of new hashes. Takes at
   * most `ADD_MAX` hashes; many at a time cost much less than one (see `#prefetch`).
   */
  add(hashes: Int32Array, { from, to }: { from: number; to: number }, isNew: Uint8Array, stamps: Stamps): number {
    this.#prefetch(hashes, from, to)
    const { newest, oldest } = stamps
    const words = this.#words
    const homes = this.#homes
    let added = 0
    for (let i = from; i < to; i++) {
      const lo = hashes[2 * i] as number
      const hi = hashes[2 * i + 1] as number
      const at = homes[i - from] as number
      const free = freeSlots(words, at, oldest)
      let outcome = 1
      if (slotOf(words, at, free, lo, hi) >= 0) outcome = 0
      else if (free !== 0 && !mayHaveOverflowed(words, at, hi, oldest)) put(words, at, free, { lo, hi, stamp: newest })
      else outcome = this.#addByProbing(lo, hi, stamps)
      isNew[i] = outcome
      added += outcome
    }
    return added
  }

  has(lo: number, hi: number, oldest: number): boolean {
    return this.#find(lo, hi, oldest) >= 0
  }

  /** Removes a hash and returns its stamp; 0 when it is not in the set. */
  delete(lo: number, hi: number, oldest: number): number {
    const found = this.#find(lo, hi, oldest)
    if (found < 0) return 0
    const slot = found % BUCKET_WORDS
    const stamp = stampOf(this.#words, found - slot, slot)
    setStamp(this.#words, found - slot, slot, 0)
    return stamp
  }

  /** Lowers all stamps by `by`, for when the largest stamp is reached. Reads the whole set. */
  lowerStamps(by: number): void {
    for (let at = 0; at < this.#words.length; at += BUCKET_WORDS) lowerStamps(this.#words, at, by)
  }

  /**
   * Loads the cache lines of the hashes' buckets. These loads do not depend on each other, so the processor has
   * dozens of them in flight (more when the loop does little else, hence two loops). In `add`, branches depend on the
   * loaded values, and each hash would wait for memory.
   */
  #prefetch(hashes: Int32Array, from: number, to: number): void {
    const words = this.#words
    const homes = this.#homes
    const scale = scaleOf(words)
    const count = to - from
    for (let i = 0; i < count; i++) homes[i] = homeOf(hashes[2 * (from + i)] as number, scale)
    let sum = 0
    for (let i = 0; i < count; i++) {
      const at = homes[i] as number
      // A bucket may span two cache lines, depending on the allocator.
      sum ^= (words[at] as number) ^ (words[at + BUCKET_WORDS - 1] as number)
    }
    this.prefetched = sum
  }

  /** Inserts a hash whose bucket is full, or which may be in a later bucket. Returns 1 if it was new, else 0. */
  #addByProbing(lo: number, hi: number, stamps: Stamps): number {
    const { newest, oldest } = stamps
    const words = this.#words
    const home = homeOf(lo, scaleOf(words))
    let place = -1
    let at = home
    do {
      const free = freeSlots(words, at, oldest)
      if (slotOf(words, at, free, lo, hi) >= 0) return 0
      if (place < 0 && free !== 0) place = at
      if (place >= 0 && !mayHaveOverflowed(words, at, hi, oldest)) break
      at = after(words, at)
    } while (at !== home)
    for (at = home; at !== place; at = after(words, at)) noteOverflow(words, at, hi, { stamp: newest, oldest })
    put(words, place, freeSlots(words, place, oldest), { lo, hi, stamp: newest })
    return 1
  }

  /** The first word of the bucket of a hash plus its slot, or -1. */
  #find(lo: number, hi: number, oldest: number): number {
    const words = this.#words
    const home = homeOf(lo, scaleOf(words))
    let at = home
    do {
      const slot = slotOf(words, at, freeSlots(words, at, oldest), lo | 0, hi | 0)
      if (slot >= 0) return at + slot
      if (!mayHaveOverflowed(words, at, hi, oldest)) return -1
      at = after(words, at)
    } while (at !== home)
    return -1
  }

  #resize(buckets: number, oldest: number): void {
    const old = this.#words
    const words = emptyTable(Math.round(buckets))
    const scale = scaleOf(words)
    for (let at = 0; at < old.length; at += BUCKET_WORDS) {
      const free = freeSlots(old, at, oldest)
      for (let slot = 0; slot < SLOTS; slot++) {
        if (((free >>> slot) & 1) !== 0) continue
        const lo = old[at + 2 * slot] as number
        reinsert(words, homeOf(lo, scale), { lo, hi: old[at + 2 * slot + 1] as number, stamp: stampOf(old, at, slot) })
      }
    }
    this.#words = words
  }
}

/** Puts a hash into the first bucket with room from `at` on. There is one. */
function reinsert(words: Int32Array, at: number, hash: { lo: number; hi: number; stamp: number }): void {
  let bucket = at
  let free = freeSlots(words, bucket, 1)
  while (free === 0) {
    noteOverflow(words, bucket, hash.hi, { stamp: hash.stamp, oldest: 1 })
    bucket = after(words, bucket)
    free = freeSlots(words, bucket, 1)
  }
  put(words, bucket, free, hash)
}

function emptyTable(buckets: number): Int32Array {
  return new Int32Array(buckets * BUCKET_WORDS)
}

/** Number of buckets divided by the 2^32 low words. */
function scaleOf(words: Int32Array): number {
  return words.length / BUCKET_WORDS / 2 ** 32
}

/**
 * The first word of a hash's bucket. Buckets are in the order of the low words, so that growing reads and writes
 * memory sequentially.
 */
function homeOf(lo: number, scale: number): number {
  return (((lo >>> 0) * scale) | 0) * BUCKET_WORDS
}

function after(words: Int32Array, at: number): number {
  return at + BUCKET_WORDS === words.length ? 0 : at + BUCKET_WORDS
}
