import { BEGINNING, type Position, type ReadLimits, type StoredFrame } from '../../driver/stream-driver.js'
import { type RawEntry, toFrames } from './entries.js'

/** Where a reader stands in each partition, and how many entries it may ask for at once. */
export class ReadCursor {
  readonly #positions = new Map<number, Position>()
  /** Moving average of a frame's size, so that a read stays about within its bytes. */
  #frameBytes = 16 * 1024

  get partitions(): number[] {
    return [...this.#positions.keys()]
  }

  seek(partition: number, after: Position): void {
    this.#positions.set(partition, after)
  }

  remove(partition: number): void {
    this.#positions.delete(partition)
  }

  idOf(partition: number): string {
    const position = this.#positions.get(partition) ?? BEGINNING
    return position === BEGINNING ? '0-0' : position
  }

  /** XREAD's COUNT holds for each stream. */
  count({ framesMax, bytesMax }: ReadLimits): number {
    const frames = Math.min(framesMax, bytesMax / this.#frameBytes)
    return Math.max(1, Math.ceil(frames / Math.max(1, this.#positions.size)))
  }

  /** Takes what a read gave, unless the partition was moved or removed while it ran: `readAfter` is the id that it read from. */
  take(partition: number, readAfter: string, entries: readonly RawEntry[]): StoredFrame[] {
    if (!this.#positions.has(partition) || this.idOf(partition) !== readAfter) return []
    const frames = toFrames(partition, entries)
    const last = frames.at(-1)
    if (last !== undefined) this.#positions.set(partition, last.position)
    for (const { bytes } of frames) this.#frameBytes += (bytes.length - this.#frameBytes) / 16
    return frames
  }
}
