import { BEGINNING, type Position, type ReadLimits, type StoredFrame } from '../../driver/stream-driver.js'
import { type RawEntry, toFrames } from './entries.js'

/** The position of a reader in each partition, and the number of entries to read at once. */
export class ReadCursor {
  readonly #positions = new Map<number, Position>()
  /** Moving average of frame sizes, so that a read stays near its limit of bytes. */
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

  /** For XREAD's COUNT, which applies to each partition. */
  count({ framesMax, bytesMax }: ReadLimits): number {
    const frames = Math.min(framesMax, bytesMax / this.#frameBytes)
    return Math.max(1, Math.ceil(frames / Math.max(1, this.#positions.size)))
  }

  /** The frames of a reply. None if the partition was moved or removed during the read: `readAfter` is the id that was read from. */
  take(partition: number, readAfter: string, entries: readonly RawEntry[]): StoredFrame[] {
    if (!this.#positions.has(partition) || this.idOf(partition) !== readAfter) return []
    const frames = toFrames(partition, entries)
    const last = frames.at(-1)
    if (last !== undefined) this.#positions.set(partition, last.position)
    for (const { bytes } of frames) this.#frameBytes += (bytes.length - this.#frameBytes) / 16
    return frames
  }
}
