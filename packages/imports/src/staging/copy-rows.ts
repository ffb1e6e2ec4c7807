import type { Cell } from '@millrace/import-files'

const CHUNK_BYTES = 256 * 1024
const NULL_LENGTH = 0xffffffff

/** Rows for a binary COPY: two int8 columns, record and line, then text columns. */
export class CopyRows {
  readonly #chunks: Buffer[] = []
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  #used = 0
  rows = 0
  bytes = 0

  add(record: number, line: number, values: readonly Cell[]): void {
    this.#reserve(26)
    const { length } = values
    this.#used = this.#chunk.writeUInt16BE(length + 2, this.#used)
    this.#putInt8(record)
    this.#putInt8(line)
    for (let index = 0; index < length; index++) this.#putText(values[index] as Cell)
    this.rows++
  }

  /** The rows, cut at any byte. */
  get chunks(): readonly Buffer[] {
    return [...this.#chunks, this.#chunk.subarray(0, this.#used)]
  }

  #putInt8(value: number): void {
    this.#used = this.#chunk.writeUInt32BE(8, this.#used)
    this.#used = this.#chunk.writeUInt32BE(Math.floor(value / 2 ** 32), this.#used)
    this.#used = this.#chunk.writeUInt32BE(value >>> 0, this.#used)
    this.bytes += 12
  }

  #putText(text: Cell): void {
    if (text === null) {
      this.#reserve(4)
      this.#used = this.#chunk.writeUInt32BE(NULL_LENGTH, this.#used)
      return
    }
    // A UTF-16 unit has at most three bytes in UTF-8.
    this.#reserve(4 + 3 * text.length)
    const written = this.#chunk.write(text, this.#used + 4)
    this.#chunk.writeUInt32BE(written, this.#used)
    this.#used += 4 + written
    this.bytes += 4 + written
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#chunk.length) return
    this.#chunks.push(this.#chunk.subarray(0, this.#used))
    this.#chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes))
    this.#used = 0
  }
}
