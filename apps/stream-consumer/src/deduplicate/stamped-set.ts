import {
  BUCKET_WORDS,
  freeSlots,
  lowerStamps,
  mayHavePassed,
  notePassed,
  put,
  SLOTS,
  setStamp,
  slotOf,
  stampOf,
} from './bucket.js'

const BUCKETS_MIN = 64
const GROWTH = 1.4
/** Hashes a slot. At the upper bound one hash in twelve finds its bucket full. */
const LOAD_MAX = 0.5
const LOAD_MIN = 0.2

/** The largest stamp there can be. */
export const STAMP_MAX = 0xffff

/** The most hashes for one call of `add`: their buckets fit into the first-level cache. */
export const ADD_MAX = 128

/** Which stamps are in use: what new hashes get, and the smallest one whose hashes are still in the set. 1 is the smallest of all. */
export interface Stamps {
  readonly newest: number
  readonly oldest: number
}

/**
 * A set of 64-bit hashes that each bear a stamp, and that leave all at once when the oldest stamp in use goes up: none is searched for then, their
 * slots are simply free. A look-up or insertion touches one bucket, seldom two. About 25 bytes a hash, nothing on the JavaScript heap.
 * Hashes are pairs of words, low lane first.
 */
export class StampedSet {
  #words: Int32Array
  /** Where the buckets of the hashes of an `add` begin. */
  readonly #homes = new Int32Array(ADD_MAX)
  /** What `#fetch` has read, kept so that its loads are not optimised away. */
  fetched = 0

  /** `phase`, from 0 to 1: sets of equal size and evenly spread phases grow one after the other and not all at once. */
  constructor(phase: number) {
    this.#words = emptyTable(Math.round(BUCKETS_MIN * GROWTH ** phase))
  }

  /** Makes room for `size` hashes, or gives room back. Moves all of them when it does, 10 to 20 ms a million. */
  fit(size: number, oldest: number): void {
    const buckets = this.#words.length / BUCKET_WORDS
    if (size > buckets * SLOTS * LOAD_MAX) this.#resize(Math.max(buckets * GROWTH, size / SLOTS / LOAD_MAX), oldest)
    else if (size < buckets * SLOTS * LOAD_MIN && buckets >= BUCKETS_MIN * GROWTH)
      this.#resize(buckets / GROWTH, oldest)
  }

  /**
   * Inserts pairs `from` to `to` (exclusive) of `hashes` and sets `isNew` to 1 for each that was not there, and to 0 for each that was, also by an
   * earlier one of the same call. Returns the number of new ones. At most `ADD_MAX`, and many at a time are much cheaper than one: see `#fetch`.
   */
  add(hashes: Int32Array, { from, to }: { from: number; to: number }, isNew: Uint8Array, stamps: Stamps): number {
    this.#fetch(hashes, from, to)
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
      else if (free !== 0 && !mayHavePassed(words, at, hi, oldest)) put(words, at, free, { lo, hi, stamp: newest })
      else outcome = this.#addBeyond(lo, hi, stamps)
      isNew[i] = outcome
      added += outcome
    }
    return added
  }

  has(lo: number, hi: number, oldest: number): boolean {
    return this.#find(lo, hi, oldest) >= 0
  }

  /** Takes a hash out and returns its stamp, or 0 when it is not there. */
  delete(lo: number, hi: number, oldest: number): number {
    const found = this.#find(lo, hi, oldest)
    if (found < 0) return 0
    const slot = found % BUCKET_WORDS
    const stamp = stampOf(this.#words, found - slot, slot)
    setStamp(this.#words, found - slot, slot, 0)
    return stamp
  }

  /** Makes all stamps smaller by `by`, when they come to their end. Reads the whole set. */
  lowerStamps(by: number): void {
    for (let at = 0; at < this.#words.length; at += BUCKET_WORDS) lowerStamps(this.#words, at, by)
  }

  /**
   * Loads the cache lines that hashes belong to. No load waits for another here, so the processor has dozens under way at once (the less else there
   * is to do in the loop the more, hence two loops); in `add` branches depend on what was loaded, and it would wait for memory once a hash.
   */
  #fetch(hashes: Int32Array, from: number, to: number): void {
    const words = this.#words
    const homes = this.#homes
    const scale = scaleOf(words)
    const count = to - from
    for (let i = 0; i < count; i++) homes[i] = homeOf(hashes[2 * (from + i)] as number, scale)
    let sum = 0
    for (let i = 0; i < count; i++) {
      const at = homes[i] as number
      // The allocator may lay a bucket across two lines.
      sum ^= (words[at] as number) ^ (words[at + BUCKET_WORDS - 1] as number)
    }
    this.fetched = sum
  }

  /** Inserts a hash whose bucket is full, or that may lie behind it. Returns 1 if it was new, 0 if not. */
  #addBeyond(lo: number, hi: number, stamps: Stamps): number {
    const { newest, oldest } = stamps
    const words = this.#words
    const home = homeOf(lo, scaleOf(words))
    let place = -1
    let at = home
    do {
      const free = freeSlots(words, at, oldest)
      if (slotOf(words, at, free, lo, hi) >= 0) return 0
      if (place < 0 && free !== 0) place = at
      if (place >= 0 && !mayHavePassed(words, at, hi, oldest)) break
      at = after(words, at)
    } while (at !== home)
    for (at = home; at !== place; at = after(words, at)) notePassed(words, at, hi, { stamp: newest, oldest })
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
      if (!mayHavePassed(words, at, hi, oldest)) return -1
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
        putAnew(words, homeOf(lo, scale), { lo, hi: old[at + 2 * slot + 1] as number, stamp: stampOf(old, at, slot) })
      }
    }
    this.#words = words
  }
}

/** Puts a hash into the first bucket from `at` on that has room; there is one. */
function putAnew(words: Int32Array, at: number, hash: { lo: number; hi: number; stamp: number }): void {
  let bucket = at
  let free = freeSlots(words, bucket, 1)
  while (free === 0) {
    notePassed(words, bucket, hash.hi, { stamp: hash.stamp, oldest: 1 })
    bucket = after(words, bucket)
    free = freeSlots(words, bucket, 1)
  }
  put(words, bucket, free, hash)
}

function emptyTable(buckets: number): Int32Array {
  return new Int32Array(buckets * BUCKET_WORDS)
}

/** Buckets for each of the 2^32 low lanes. */
function scaleOf(words: Int32Array): number {
  return words.length / BUCKET_WORDS / 2 ** 32
}

/** The first word of a hash's bucket: buckets follow the low lane in order, so growing reads and writes memory from end to end. */
function homeOf(lo: number, scale: number): number {
  return (((lo >>> 0) * scale) | 0) * BUCKET_WORDS
}

function after(words: Int32Array, at: number): number {
  return at + BUCKET_WORDS === words.length ? 0 : at + BUCKET_WORDS
}
