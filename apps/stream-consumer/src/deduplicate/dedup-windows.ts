import { HashWindow } from './hash-window.js'

/** Multiples of it spread evenly over the unit interval, however many there are. */
const GOLDEN_RATIO = 0.618034

/** The windows of the partitions this process owns, under one ceiling of ids. */
export class DedupWindows {
  readonly #windowMs: number
  readonly #idsMax: number
  readonly #windows = new Map<number, HashWindow>()

  /** `idsMax`: ids of all partitions together; the oldest go first when there are more. */
  constructor(config: { windowMs: number; idsMax: number }) {
    this.#windowMs = config.windowMs
    this.#idsMax = config.idsMax
  }

  /** An empty window for `partition`, in place of the one there was. */
  open(partition: number): HashWindow {
    const window = new HashWindow(this.#windowMs, (partition * GOLDEN_RATIO) % 1)
    this.#windows.set(partition, window)
    return window
  }

  close(partition: number): void {
    this.#windows.delete(partition)
  }

  /** @throws when the partition's window was not opened: its records must not be judged without it. */
  of(partition: number): HashWindow {
    const window = this.#windows.get(partition)
    if (window === undefined) throw new Error(`the deduplication window of partition ${partition} is not loaded`)
    return window
  }

  get size(): number {
    let size = 0
    for (const window of this.#windows.values()) size += window.size
    return size
  }

  /** The shortest reach of any window, in ms. */
  coveredMs(nowMs: number): number {
    let covered = this.#windowMs
    for (const window of this.#windows.values()) covered = Math.min(covered, window.coveredMs(nowMs))
    return covered
  }

  /** Lets go of what is older than the window, and of the oldest ids beyond the ceiling. */
  tidy(nowMs: number): void {
    for (const window of this.#windows.values()) window.expire(nowMs)
    for (let excess = this.size - this.#idsMax; excess > 0; excess = this.size - this.#idsMax) {
      let oldest: HashWindow | null = null
      for (const window of this.#windows.values())
        if (oldest === null || window.oldestMs < oldest.oldestMs) oldest = window
      oldest?.dropOldest(Math.min(excess, 4096))
    }
  }
}
