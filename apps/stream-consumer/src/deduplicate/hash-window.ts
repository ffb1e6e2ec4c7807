import { ADD_MAX, STAMP_MAX, StampedSet } from './stamped-set.js'

/** A slice ends after this share of the window, or of the ids held. */
const SLICES = 1024
const SLICE_IDS_MIN = 256

/** Ids that came one after the other and leave together. */
interface Slice {
  readonly firstMs: number
  lastMs: number
  ids: number
}

/**
 * The 64-bit message hashes that one partition has seen within a time window. Ids are remembered for a window and at most a 1,024th of it longer. About
 * 24 bytes an id; the cost of an id does not depend on how many there are, and none is searched for when it leaves. Hashes are pairs of 32-bit words,
 * low lane first.
 */
export class HashWindow {
  readonly #windowMs: number
  readonly #set: StampedSet
  /** Oldest first; the ids of slice i bear the stamp `#oldest + i`. */
  readonly #slices: Slice[] = []
  #oldest = 1
  #size = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #droppedUntilMs = Number.NEGATIVE_INFINITY

  /** `windowMs`: an id is remembered for so long after its insertion. `phase`, from 0 to 1: windows of spread phases grow one after the other. */
  constructor(windowMs: number, phase = 0) {
    this.#windowMs = windowMs
    this.#set = new StampedSet(phase)
  }

  /** Ids held. */
  get size(): number {
    return this.#size
  }

  /** The insertion time of the oldest id in ms since the epoch, or Infinity when empty. */
  get oldestMs(): number {
    return this.#slices[0]?.firstMs ?? Number.POSITIVE_INFINITY
  }

  /** How far back every insertion is still remembered, in ms: the window, or less where ids were dropped for want of room. */
  coveredMs(nowMs: number): number {
    return Math.max(0, Math.min(this.#windowMs, nowMs - this.#droppedUntilMs))
  }

  /** Says that ids inserted up to `untilMs` are not here although they lie in the window. */
  noteDropped(untilMs: number): void {
    if (untilMs > this.#droppedUntilMs) this.#droppedUntilMs = untilMs
  }

  /**
   * Inserts all `hashes` in their order and sets `isNew` to 1 for each that was not held, to 0 for each that was (its time then stays what it was).
   * Returns the number of new ones. A time before the last insertion's counts as that one, so that ids leave in the order they came.
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

  /** Whether a hash is held. */
  has(lo: number, hi: number): boolean {
    return this.#set.has(lo, hi, this.#oldest)
  }

  /** Removes what was inserted a window ago or earlier. */
  expire(nowMs: number): void {
    const untilMs = nowMs - this.#windowMs
    this.#leaveWhile((slice) => slice.lastMs <= untilMs)
    this.#set.fit(this.#size, this.#oldest)
  }

  /** Removes the `count` oldest ids before their time, to make room, and the rest of their last one's slice. */
  dropOldest(count: number): void {
    const size = Math.max(0, this.#size - count)
    this.#leaveWhile((slice) => {
      if (this.#size <= size) return false
      this.noteDropped(slice.lastMs)
      return true
    })
  }

  /** Removes one hash; for the few records that were judged new and could not be stored. */
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

  /** The slice that an id of `timeMs` joins, or undefined when it begins one. */
  #openSlice(timeMs: number): Slice | undefined {
    // All its ids were forgotten; its stamp is free again.
    while (this.#slices.at(-1)?.ids === 0) this.#slices.pop()
    const slice = this.#slices.at(-1)
    const idsMax = Math.max(SLICE_IDS_MIN, this.#size / SLICES)
    if (slice !== undefined && slice.ids < idsMax && timeMs - slice.firstMs < this.#windowMs / SLICES) return slice
    if (this.#oldest > 1 && this.#oldest + this.#slices.length > STAMP_MAX) {
      this.#set.lowerStamps(this.#oldest - 1)
      this.#oldest = 1
    }
    // A window has a few thousand slices: 1,024 by time, and 1,024 by ids for each time it grew 2.7-fold. Should all stamps be in use, slices grow longer.
    return this.#slices.length === STAMP_MAX ? slice : undefined
  }

  #leaveWhile(isToLeave: (slice: Slice) => boolean): void {
    let gone = 0
    for (let slice = this.#slices[0]; slice !== undefined && isToLeave(slice); slice = this.#slices[++gone])
      this.#size -= slice.ids
    this.#slices.splice(0, gone)
    this.#oldest += gone
  }
}
