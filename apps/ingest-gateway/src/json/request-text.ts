/**
 * The bytes of the request that is being worked on, in one buffer that lives as long as the process: the text, the 0 that ends it for
 * JsonScanner, and behind that whatever is made out of it (decoded ids, merged objects), so that all parts of an event are ranges of
 * one array. Holds one request at a time: nothing may be awaited between `load` and the last use of a range.
 */
export class RequestText {
  bytes: Buffer
  /** Offset after the text. */
  end = 0
  #used = 0

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
  }

  /** Copies the chunks in; earlier ranges are void. */
  load(chunks: readonly Uint8Array[], totalBytes: number): void {
    this.#used = 0
    this.#reserve(totalBytes + 1)
    for (const chunk of chunks) {
      this.bytes.set(chunk, this.#used)
      this.#used += chunk.length
    }
    this.end = this.#used
    this.bytes[this.#used++] = 0
  }

  /** Appends bytes `start` to `end` of this buffer, and returns the offset where they now begin. */
  appendRange(start: number, end: number): number {
    this.#reserve(end - start)
    const at = this.#used
    this.bytes.copyWithin(at, start, end)
    this.#used = at + end - start
    return at
  }

  /** Appends a text as UTF-8, and returns the offset where it begins; it ends at `used`. */
  appendText(text: string): number {
    this.#reserve(text.length * 3)
    const at = this.#used
    this.#used = at + this.bytes.write(text, at, 'utf8')
    return at
  }

  /** Offset after everything that was appended. */
  get used(): number {
    return this.#used
  }

  /** Bytes `start` to `end` as text. */
  slice(start: number, end: number): string {
    return this.bytes.toString('utf8', start, end)
  }

  /** Callers keep offsets, not views, so moving to a larger buffer does not disturb them. */
  #reserve(more: number): void {
    const needed = this.#used + more
    if (needed <= this.bytes.length) return
    const wider = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    wider.set(this.bytes.subarray(0, this.#used))
    this.bytes = wider
  }
}
