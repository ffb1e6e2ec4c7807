import type { FrameToAppend } from '../driver/stream-driver.js'

/** How many frames of each partition there are. */
export class PartitionCounts {
  readonly #counts = new Map<number, number>()
  total = 0

  of(partition: number): number {
    return this.#counts.get(partition) ?? 0
  }

  get partitions(): number[] {
    return [...this.#counts.keys()]
  }

  add(partition: number, frames: number): void {
    const sum = this.of(partition) + frames
    this.total += frames
    if (sum === 0) this.#counts.delete(partition)
    else this.#counts.set(partition, sum)
  }

  addFrames(frames: readonly FrameToAppend[], sign: 1 | -1): void {
    for (const { partition } of frames) this.add(partition, sign)
  }

  subtract(other: PartitionCounts): void {
    for (const [partition, frames] of other.#counts) this.add(partition, -frames)
  }
}
