/** Bytes that were pushed and not used yet, in one piece, with room for sentinels behind them. */
export class PendingBytes {
  readonly #sentinels: readonly [number, number]
  bytes: Buffer = Buffer.alloc(0)
  /** Number of bytes that are there. */
  end = 0

  constructor(sentinels: readonly [number, number]) {
    this.#sentinels = sentinels
  }

  /** Drops the bytes before `used`, and adds `more`. Positions count from the first byte that is kept. */
  replace(used: number, more: Uint8Array): void {
    const kept = this.end - used
    const needed = kept + more.length + this.#sentinels.length
    const target = needed > this.bytes.length ? Buffer.allocUnsafe(2 * needed) : this.bytes
    if (used > 0 || target !== this.bytes) this.bytes.copy(target, 0, used, this.end)
    target.set(more, kept)
    this.bytes = target
    this.end = kept + more.length
    target[this.end] = this.#sentinels[0]
    target[this.end + 1] = this.#sentinels[1]
  }
}
