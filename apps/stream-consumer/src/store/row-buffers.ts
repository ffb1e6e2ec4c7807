const SPARES_MAX = 2
const KEPT_BYTES_MAX = 64 * 1024 ** 2

/**
 * Reused buffers for the rows of a batch. Allocating several megabytes for each transaction made the garbage
 * collector mark the whole heap every second.
 */
export class RowBuffers {
  readonly #spares: Buffer[] = []

  /** A buffer of at least `bytes` bytes with arbitrary contents. */
  acquire(bytes: number): Buffer {
    const at = this.#spares.findIndex((spare) => spare.length >= bytes)
    if (at >= 0) return this.#spares.splice(at, 1)[0] as Buffer
    this.#spares.shift()
    return Buffer.allocUnsafeSlow(bytes + (bytes >>> 2))
  }

  /** Returns a buffer that nobody reads any more. A buffer that is not returned is left to the garbage collector. */
  release(buffer: Buffer): void {
    if (this.#spares.length < SPARES_MAX && buffer.length > 0 && buffer.length <= KEPT_BYTES_MAX)
      this.#spares.push(buffer)
  }
}
