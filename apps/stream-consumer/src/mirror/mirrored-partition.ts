import type { PositionRange } from './read-stored-events.js'

interface Days {
  readonly firstMs: number
  readonly lastMs: number
}

/** What the mirror knows of a partition that this consumer owns. Ordinals number the records of the partition. */
export class MirroredPartition {
  readonly partition: number
  /** Up to here everything is committed. */
  #end: number
  /** Up to here everything is in the topic; undefined while it has to be read from PostgreSQL. */
  #next: number | undefined
  /** Events from `knownFrom` on are on these days, because this consumer stored them; null when there are none. */
  #knownFrom: number
  #days: Days | null = null
  #waitsSinceMs: number

  /** `mirroredUntilMs` is when the last event before `next` was received. */
  constructor({ partition, next, end }: { partition: number; next: number; end: number }, mirroredUntilMs: number) {
    this.partition = partition
    this.#next = next
    this.#end = end
    this.#knownFrom = end
    this.#waitsSinceMs = mirroredUntilMs
  }

  get next(): number | undefined {
    return this.#next
  }

  get end(): number {
    return this.#end
  }

  get isBehind(): boolean {
    return this.#next !== undefined && this.#next < this.#end
  }

  /** Records that are not in the topic yet. Duplicates and dead letters among them count too. */
  get lagRecords(): number {
    return Math.max(0, this.#end - (this.#next ?? this.#end))
  }

  /** For how long the oldest event that is not in the topic yet has waited, ms. 0 when there is none. */
  lagMs(nowMs: number): number {
    return this.isBehind ? Math.max(0, nowMs - this.#waitsSinceMs) : 0
  }

  /** A batch up to `end` was committed; its events are on these days. */
  committed(end: number, days: Days | null, nowMs: number): void {
    if (!this.isBehind) this.#waitsSinceMs = nowMs
    this.#end = Math.max(this.#end, end)
    if (days === null) return
    this.#days = {
      firstMs: Math.min(days.firstMs, this.#days?.firstMs ?? days.firstMs),
      lastMs: Math.max(days.lastMs, this.#days?.lastMs ?? days.lastMs),
    }
  }

  /** The position was read from PostgreSQL again. */
  loaded(next: number, mirroredUntilMs: number): void {
    this.#next = next
    this.#waitsSinceMs = mirroredUntilMs
  }

  /** The position has to be read again. */
  forget(): void {
    this.#next = undefined
  }

  /** Events before `next` are in the topic; the last of them was received at `receivedAtMs`. */
  moved(next: number, receivedAtMs: number | null): void {
    this.#next = next
    if (receivedAtMs !== null) this.#waitsSinceMs = Math.max(this.#waitsSinceMs, receivedAtMs)
    if (next < this.#end) return
    this.#knownFrom = this.#end
    this.#days = null
  }

  /** What has to be mirrored next. */
  range(): PositionRange {
    const from = this.#next ?? this.#end
    return { partition: this.partition, from, to: this.#end, days: from >= this.#knownFrom ? this.#days : null }
  }
}
