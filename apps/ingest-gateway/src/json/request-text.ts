/**
 * The bytes of one request at a time, in a buffer that is reused for the whole life of the process: first the text, then the 0 that JsonScanner
 * needs, then everything that is made from the text (decoded ids, merged objects). So all parts of an event are ranges of one array.
 * `load` makes earlier ranges invalid; RequestParser checks that by its generation.
 */
export class RequestText {
  bytes: Buffer
  /** Offset after the text. Greater offsets are appended bytes. */
  end = 0
  #used = 0

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
  }

  /** Copies the chunks into the buffer. Ranges of the previous request become invalid. */
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

  /** Appends one byte, and returns the offset where it is. */
  appendByte(byte: number): number {
    this.#reserve(1)
    this.bytes[this.#used] = byte
    return this.#used++
  }

  /** Appends a text as UTF-8 and returns the offset where it begins. It ends at `used`. */
  appendText(text: string): number {
    this.#reserve(text.length * 3)
    const at = this.#used
    this.#used = at + this.bytes.write(text, at, 'utf8')
    return at
  }

  /** Offset after the last appended byte. */
  get used(): number {
    return this.#used
  }

  /** Bytes `start` to `end` as text. */
  slice(start: number, end: number): string {
    return this.bytes.toString('utf8', start, end)
  }

  /** May move everything to a larger buffer. Callers keep offsets, so they do not notice, but they must read `bytes` again. */
  #reserve(more: number): void {
    const needed = this.#used + more
    if (needed <= this.bytes.length) return
    const wider = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    wider.set(this.bytes.subarray(0, this.#used))
    this.bytes = wider
  }
}
