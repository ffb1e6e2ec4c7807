import type { Position, ReadLimits, StoredFrame } from '../../driver/stream-driver.js'
import type { FetchedMessage } from './kafka-client.js'
import { offsetAfter, positionOf } from './position.js'

/** Where one partition is being read. `seek` replaces it, so that answers for the former one are recognised. */
export interface ReadCursor {
  readonly partition: number
  /** The offset to request next. */
  next: number
  /** Fetched frames that were not returned yet, from `taken` on. */
  frames: readonly StoredFrame[]
  taken: number
  /** More frames were in the partition than the last answer held. */
  isBehind: boolean
  /** When the newest request that was answered was sent, by performance.now; 0 after the seek. */
  askedAtMs: number
  /** A request is under way: one that waits for frames, or one that is answered at once. */
  isPolled: boolean
  isPrompted: boolean
}

interface Answer {
  readonly messages: readonly FetchedMessage[]
  readonly nextOffset: number
  readonly highWatermark: number
  /** When the request was sent. */
  readonly askedAtMs: number
}

/** The partitions of a reader with the frames that were fetched and not returned yet. */
export class ReadCursors {
  readonly #cursors = new Map<number, ReadCursor>()
  /** Changes with each use, so that no partition is always first. */
  #turn = 0
  #heldBytes = 0

  get size(): number {
    return this.#cursors.size
  }

  /** Bytes of the frames of all partitions that were not returned yet. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  seek(partition: number, after: Position): void {
    this.remove(partition)
    this.#cursors.set(partition, {
      partition,
      next: offsetAfter(after),
      frames: [],
      taken: 0,
      isBehind: false,
      askedAtMs: 0,
      isPolled: false,
      isPrompted: false,
    })
  }

  remove(partition: number): void {
    const cursor = this.#cursors.get(partition)
    if (cursor === undefined) return
    for (const { bytes } of cursor.frames.slice(cursor.taken)) this.#heldBytes -= bytes.length
    this.#cursors.delete(partition)
  }

  clear(): void {
    this.#cursors.clear()
    this.#heldBytes = 0
  }

  isCurrent(cursor: ReadCursor): boolean {
    return this.#cursors.get(cursor.partition) === cursor
  }

  /** Those without frames to return, in an order that changes: a broker fills its answer in the order of the request. */
  empty(): ReadCursor[] {
    return this.#rotated().filter(({ frames, taken }) => taken >= frames.length)
  }

  /** Keeps the answer to a request for `offset`, unless the partition was sought or answered meanwhile. */
  keep(cursor: ReadCursor, offset: number, answer: Answer): void {
    if (!this.isCurrent(cursor) || cursor.next !== offset) return
    const { partition } = cursor
    cursor.frames = answer.messages.map(({ offset: at, timestampMs, value }) => ({
      partition,
      position: positionOf(at),
      appendedAtMs: timestampMs,
      bytes: value,
    }))
    for (const { value } of answer.messages) this.#heldBytes += value.length
    cursor.taken = 0
    cursor.next = answer.nextOffset
    cursor.isBehind = answer.nextOffset < answer.highWatermark
    cursor.askedAtMs = answer.askedAtMs
  }

  /** Fetched frames within the limits: from each partition an equal share first. */
  take({ framesMax, bytesMax }: ReadLimits): StoredFrame[] {
    const taken: StoredFrame[] = []
    let bytes = 0
    let filled = this.#rotated().filter((cursor) => cursor.taken < cursor.frames.length)
    while (filled.length > 0) {
      const share = Math.max(1, Math.floor((framesMax - taken.length) / filled.length))
      for (const cursor of filled) {
        const end = Math.min(cursor.frames.length, cursor.taken + share)
        while (cursor.taken < end) {
          const frame = cursor.frames[cursor.taken] as StoredFrame
          if (taken.length > 0 && (taken.length >= framesMax || bytes + frame.bytes.length > bytesMax)) return taken
          taken.push(frame)
          bytes += frame.bytes.length
          this.#heldBytes -= frame.bytes.length
          cursor.taken++
        }
        // The buffers of the answer can be freed.
        if (cursor.taken >= cursor.frames.length) cursor.frames = []
        if (cursor.frames.length === 0) cursor.taken = 0
      }
      filled = filled.filter((cursor) => cursor.taken < cursor.frames.length)
    }
    return taken
  }

  #rotated(): ReadCursor[] {
    const all = [...this.#cursors.values()]
    const first = all.length === 0 ? 0 : this.#turn++ % all.length
    return [...all.slice(first), ...all.slice(0, first)]
  }
}
