import { HashWindow } from './hash-window.js'

/** The fractional parts of its multiples are spread evenly over [0, 1), however many there are. */
const GOLDEN_RATIO = 0.618034

/** The deduplication windows of the partitions that this process owns, with one limit on their ids. */
export class DedupWindows {
  readonly #windowMs: number
  readonly #idsMax: number
  readonly #windows = new Map<number, HashWindow>()
  /** By partition, until when its window holds hashes without users. */
  readonly #withoutUsersUntilMs = new Map<number, number>()

  /** `idsMax`: ids of all partitions together; with more, the oldest are dropped. */
  constructor(config: { windowMs: number; idsMax: number }) {
    this.#windowMs = config.windowMs
    this.#idsMax = config.idsMax
  }

  /** Creates an empty window for `partition`, in place of an earlier one. */
  open(partition: number): HashWindow {
    const window = new HashWindow(this.#windowMs, (partition * GOLDEN_RATIO) % 1)
    this.#windows.set(partition, window)
    return window
  }

  close(partition: number): void {
    this.#windows.delete(partition)
    this.#withoutUsersUntilMs.delete(partition)
  }

  /**
   * Records that the window of `partition` also holds hashes of tenant and message id without the user, the newest
   * from `timeMs`: they come from a journal that an earlier version wrote.
   */
  noteHashesWithoutUsers(partition: number, timeMs: number): void {
    this.#withoutUsersUntilMs.set(partition, timeMs + this.#windowMs)
  }

  /** Whether the window of `partition` still holds such hashes. */
  hasHashesWithoutUsers(partition: number, nowMs: number): boolean {
    return nowMs < (this.#withoutUsersUntilMs.get(partition) ?? Number.NEGATIVE_INFINITY)
  }

  /**
   * @throws Error when the partition has no window: without it, duplicates would be stored.
   */
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

  /** For how long before `nowMs` all windows remember every id, in ms. */
  coveredMs(nowMs: number): number {
    let covered = this.#windowMs
    for (const window of this.#windows.values()) covered = Math.min(covered, window.coveredMs(nowMs))
    return covered
  }

  /** Removes ids older than the window, and the oldest ids above the limit. */
  evict(nowMs: number): void {
    for (const window of this.#windows.values()) window.expire(nowMs)
    for (let excess = this.size - this.#idsMax; excess > 0; excess = this.size - this.#idsMax) {
      let oldest: HashWindow | null = null
      for (const window of this.#windows.values())
        if (oldest === null || window.oldestMs < oldest.oldestMs) oldest = window
      oldest?.dropOldest(Math.min(excess, 4096))
    }
  }
}
