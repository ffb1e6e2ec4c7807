const SPARES_MAX = 2
const KEPT_BYTES_MAX = 64 * 1024 ** 2

/**
 * Buffers for the rows of a batch, used again and again: several megabytes a transaction would otherwise have the garbage collector mark the
 * whole heap every second.
 */
export class RowBuffers {
  readonly #spares: Buffer[] = []

  /** A buffer of at least `bytes`, with anything in it. */
  acquire(bytes: number): Buffer {
    const at = this.#spares.findIndex((spare) => spare.length >= bytes)
    if (at >= 0) return this.#spares.splice(at, 1)[0] as Buffer
    this.#spares.shift()
    return Buffer.allocUnsafeSlow(bytes + (bytes >>> 2))
  }

  /** Gives one back of which nobody reads any more. One that is not given back is left to the garbage collector. */
  release(buffer: Buffer): void {
    if (this.#spares.length < SPARES_MAX && buffer.length > 0 && buffer.length <= KEPT_BYTES_MAX)
      this.#spares.push(buffer)
  }
}
