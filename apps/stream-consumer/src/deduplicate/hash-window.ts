import { ADD_MAX, STAMP_MAX, StampedHashSet } from './stamped-hash-set.js'

/** A slice ends after this share of the window, or of the ids in it. */
const SLICES = 1024
const SLICE_IDS_MIN = 256

/** Consecutive ids that expire together. */
interface Slice {
  readonly firstMs: number
  lastMs: number
  ids: number
}

/**
 * The 64-bit hashes of events (`eventKeys`), called ids here, that one partition has seen within a time window. An id
 * is remembered for the window and at most 1/1024 of it longer. Takes about 24 bytes per id; the cost per id does not
 * depend on the size, and expiring searches for no id. Hashes are pairs of 32-bit words, low word first.
 */
export class HashWindow {
  readonly #windowMs: number
  readonly #set: StampedHashSet
  /** Oldest first. The ids of slice i have the stamp `#oldest` + i. */
  readonly #slices: Slice[] = []
  #oldest = 1
  #size = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #droppedUntilMs = Number.NEGATIVE_INFINITY

  /**
   * `windowMs`: how long an id is remembered after its insertion. `phase` is from 0 to 1; windows with different
   * phases grow at different times.
   */
  constructor(windowMs: number, phase = 0) {
    this.#windowMs = windowMs
    this.#set = new StampedHashSet(phase)
  }

  /** Number of ids. */
  get size(): number {
    return this.#size
  }

  /** When the oldest id was inserted, in ms since 1970; Infinity when empty. */
  get oldestMs(): number {
    return this.#slices[0]?.firstMs ?? Number.POSITIVE_INFINITY
  }

  /**
   * For how long before `nowMs` every inserted id is remembered, in ms: the window, or less when ids were dropped to
   * save memory.
   */
  coveredMs(nowMs: number): number {
    return Math.max(0, Math.min(this.#windowMs, nowMs - this.#droppedUntilMs))
  }

  /** Records that ids inserted up to `untilMs` are missing although they lie in the window. */
  noteDropped(untilMs: number): void {
    if (untilMs > this.#droppedUntilMs) this.#droppedUntilMs = untilMs
  }

  /**
   * Inserts all `hashes` in order. Sets `isNew` to 1 for each id that was not remembered, and to 0 for the others,
   * whose time does not change. Returns the number of new ids. A `nowMs` before the previous insertion counts as that
   * time, so that ids expire in the order of insertion.
   */
  add(hashes: Int32Array, nowMs: number, isNew: Uint8Array): number {
    const timeMs = Math.max(nowMs, this.#lastMs)
    const ids = hashes.length / 2
    let added = 0
    for (let from = 0; from < ids; from += ADD_MAX) {
      added += this.#addChunk(hashes, { from, to: Math.min(ids, from + ADD_MAX) }, isNew, timeMs)
    }
    if (added > 0) this.#lastMs = timeMs
    return added
  }

  /** Whether an id is remembered. */
  has(lo: number, hi: number): boolean {
    return this.#set.has(lo, hi, this.#oldest)
  }

  /** Removes the ids that were inserted a window ago or earlier. */
  expire(nowMs: number): void {
    const untilMs = nowMs - this.#windowMs
    this.#evictWhile((slice) => slice.lastMs <= untilMs)
    this.#set.fit(this.#size, this.#oldest)
  }

  /** Removes the `count` oldest ids early, to save memory, and the rest of the last slice. */
  dropOldest(count: number): void {
    const size = Math.max(0, this.#size - count)
    this.#evictWhile((slice) => {
      if (this.#size <= size) return false
      this.noteDropped(slice.lastMs)
      return true
    })
  }

  /** Removes one id: of a record that was new but could not be stored. */
  forget(lo: number, hi: number): void {
    const stamp = this.#set.delete(lo, hi, this.#oldest)
    if (stamp === 0) return
    const slice = this.#slices[stamp - this.#oldest] as Slice
    slice.ids--
    this.#size--
  }

  #addChunk(hashes: Int32Array, range: { from: number; to: number }, isNew: Uint8Array, timeMs: number): number {
    let slice = this.#openSlice(timeMs)
    this.#set.fit(this.#size + range.to - range.from, this.#oldest)
    const newest = this.#oldest + this.#slices.length - (slice === undefined ? 0 : 1)
    const added = this.#set.add(hashes, range, isNew, { newest, oldest: this.#oldest })
    if (added === 0) return 0
    if (slice === undefined) {
      slice = { firstMs: timeMs, lastMs: timeMs, ids: 0 }
      this.#slices.push(slice)
    }
    slice.lastMs = timeMs
    slice.ids += added
    this.#size += added
    return added
  }

  /** The slice for an id inserted at `timeMs`; undefined when it begins a new one. */
  #openSlice(timeMs: number): Slice | undefined {
    // A slice whose ids were all forgotten; its stamp can be used again.
    while (this.#slices.at(-1)?.ids === 0) this.#slices.pop()
    const slice = this.#slices.at(-1)
    const idsMax = Math.max(SLICE_IDS_MIN, this.#size / SLICES)
    if (slice !== undefined && slice.ids < idsMax && timeMs - slice.firstMs < this.#windowMs / SLICES) return slice
    if (this.#oldest > 1 && this.#oldest + this.#slices.length > STAMP_MAX) {
      this.#set.lowerStamps(this.#oldest - 1)
      this.#oldest = 1
    }
    // A window has a few thousand slices: 1,024 by time, and 1,024 by size each time it has grown 2.7-fold. If all
    // stamps are in use, the last slice just grows.
    return this.#slices.length === STAMP_MAX ? slice : undefined
  }

  #evictWhile(isEvicted: (slice: Slice) => boolean): void {
    let evicted = 0
    for (let slice = this.#slices[0]; slice !== undefined && isEvicted(slice); slice = this.#slices[++evicted])
      this.#size -= slice.ids
    this.#slices.splice(0, evicted)
    this.#oldest += evicted
  }
}
