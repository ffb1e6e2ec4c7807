import { DecodeFault } from '../../fields/decode-fault.js'
import { headerBytes, readHeader } from '../msgpack-reader.js'

/** Memory that an idle connection keeps, in bytes. */
const IDLE_BYTES_MAX = 64 * 1024

/**
 * Cuts what a connection receives into MessagePack values. Each byte is looked at once, however small the pieces are that it comes in, and no more than
 * `bytesMax` is kept.
 */
export class MessageFramer {
  readonly #bytesMax: number
  #buffer = Buffer.alloc(0)
  #length = 0
  /** Up to here the current value was looked at. */
  #scanned = 0
  /** Values that are still missing until the current value is complete. */
  #missing = 1

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes of a value that is not complete yet. */
  get pendingBytes(): number {
    return this.#length
  }

  /**
   * Takes what was received and returns the values that are complete now, each in memory of its own.
   * @throws DecodeFault when the bytes are no MessagePack, or a value is larger than allowed; the connection cannot be read any further
   */
  push(chunk: Buffer): Buffer[] {
    this.#append(chunk)
    const values: Buffer[] = []
    let start = 0
    while (this.#scan()) {
      values.push(Buffer.from(this.#buffer.subarray(start, this.#scanned)))
      start = this.#scanned
      this.#missing = 1
    }
    this.#drop(start)
    if (this.#length > this.#bytesMax)
      throw new DecodeFault('invalid_record', `a message has more than ${this.#bytesMax} bytes`)
    return values
  }

  #append(chunk: Buffer): void {
    const needed = this.#length + chunk.length
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(
        Math.max(needed, Math.min(this.#buffer.length * 2, this.#bytesMax + IDLE_BYTES_MAX)),
      )
      this.#buffer.copy(grown, 0, 0, this.#length)
      this.#buffer = grown
    }
    chunk.copy(this.#buffer, this.#length)
    this.#length = needed
  }

  /** Goes on to the end of the current value; false when more bytes are needed. */
  #scan(): boolean {
    while (this.#missing > 0) {
      const first = this.#scanned < this.#length ? this.#buffer[this.#scanned] : undefined
      if (first === undefined) return false
      const header = headerBytes(first)
      if (this.#scanned + header > this.#length) return false
      const { bytes, values } = readHeader(this.#buffer, this.#scanned)
      if (bytes > this.#bytesMax || values > this.#bytesMax)
        throw new DecodeFault('invalid_record', `a message has more than ${this.#bytesMax} bytes`)
      if (this.#scanned + header + bytes > this.#length) return false
      this.#scanned += header + bytes
      this.#missing += values - 1
      // Every value takes at least one byte.
      if (this.#missing > this.#bytesMax)
        throw new DecodeFault('invalid_record', `a message has more than ${this.#bytesMax} bytes`)
    }
    return true
  }

  #drop(bytes: number): void {
    if (bytes === 0) return
    this.#buffer.copyWithin(0, bytes, this.#length)
    this.#length -= bytes
    this.#scanned -= bytes
    if (this.#length === 0 && this.#buffer.length > IDLE_BYTES_MAX) this.#buffer = Buffer.alloc(0)
  }
}
