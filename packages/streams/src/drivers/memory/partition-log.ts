import { BEGINNING, type Position, type StoredFrame } from '../../driver/stream-driver.js'

/** One partition in memory. Positions are the decimal index of a frame, counted from 1. */
export class PartitionLog {
  readonly #partition: number
  readonly #now: () => number
  #frames: StoredFrame[] = []
  /** Index of the newest frame that was ever appended. */
  #lastIndex = 0
  bytes = 0

  constructor(partition: number, now: () => number) {
    this.#partition = partition
    this.#now = now
  }

  get first(): Position {
    return this.#frames[0]?.position ?? BEGINNING
  }

  get last(): Position {
    return this.#lastIndex === 0 ? BEGINNING : String(this.#lastIndex)
  }

  get length(): number {
    return this.#frames.length
  }

  get framesEver(): number {
    return this.#lastIndex
  }

  append(frame: Buffer): Position {
    const position = String(++this.#lastIndex)
    this.#frames.push({ partition: this.#partition, position, appendedAtMs: this.#now(), bytes: Buffer.from(frame) })
    this.bytes += frame.length
    return position
  }

  after(position: Position, framesMax: number): StoredFrame[] {
    const from = Math.max(0, Number(position) - this.#removed)
    return this.#frames.slice(from, from + framesMax)
  }

  tail(frames: number): StoredFrame[] {
    return this.#frames.slice(Math.max(0, this.#frames.length - frames)).reverse()
  }

  positionAt(timeMs: number): Position {
    const index = this.#frames.findIndex((frame) => frame.appendedAtMs >= timeMs)
    return index < 0 ? this.last : String(this.#removed + index)
  }

  trim(before: Position, framesMax: number): number {
    const below = Math.max(0, Number(before) - 1 - this.#removed)
    const removed = this.#frames.splice(0, Math.min(below, framesMax))
    for (const frame of removed) this.bytes -= frame.bytes.length
    return removed.length
  }

  /** Loses the newest frames and their positions, like a failover to a replica that lagged. */
  loseEnd(frames: number): void {
    for (const frame of this.#frames.splice(Math.max(0, this.#frames.length - frames))) {
      this.bytes -= frame.bytes.length
      this.#lastIndex--
    }
  }

  get #removed(): number {
    return this.#lastIndex - this.#frames.length
  }
}
