/** Below this length a loop in JavaScript is faster than the call of a native copy. */
const LOOP_BELOW = 48

/** A buffer that has grown beyond this size is given back when it is cleared, so that one large batch does not hold memory for good. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

/** Bytes that are appended to and reused. Numbers are little-endian. */
export class GrowingBytes {
  #bytes: Buffer
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** Cuts the bytes back to a length that they had before. */
  set length(length: number) {
    this.#length = length
  }

  /** The buffer behind the bytes: valid up to `length`, until the next append. */
  get buffer(): Buffer {
    return this.#bytes
  }

  /** The appended bytes, valid until the next append. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Forgets all bytes. */
  clear(): void {
    this.#length = 0
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = Buffer.allocUnsafeSlow(256)
  }

  append(source: Uint8Array, start = 0, end = source.length): void {
    const count = end - start
    this.reserve(count)
    const bytes = this.#bytes
    let at = this.#length
    if (count < LOOP_BELOW) for (let index = start; index < end; index++) bytes[at++] = source[index] as number
    else bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
    this.#length += count
  }

  /** Appends a string as UTF-8; lone surrogates become U+FFFD. */
  appendString(text: string): void {
    // A UTF-16 unit needs at most three bytes.
    this.reserve(text.length * 3)
    const written = text.length < LOOP_BELOW ? this.#writeAscii(text) : -1
    this.#length += written >= 0 ? written : this.#bytes.write(text, this.#length, 'utf8')
  }

  /** Writes a short text if all of it is ASCII. Returns its length, or -1. */
  #writeAscii(text: string): number {
    const bytes = this.#bytes
    const start = this.#length
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) return -1
      bytes[start + index] = code
    }
    return text.length
  }

  u8(value: number): void {
    this.reserve(1)
    this.#bytes[this.#length++] = value
  }

  u16(value: number): void {
    this.reserve(2)
    this.#length = this.#bytes.writeUInt16LE(value, this.#length)
  }

  u32(value: number): void {
    this.reserve(4)
    this.#length = this.#bytes.writeUInt32LE(value, this.#length)
  }

  f64(value: number): void {
    this.reserve(8)
    this.#length = this.#bytes.writeDoubleLE(value, this.#length)
  }

  /** Appends an integer from 0 to 2^53 - 1, seven bits in a byte, the lowest first. */
  varint(value: number): void {
    this.reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  /** Leaves room for a u32 that `endLength` fills in. Returns its place. */
  beginLength(): number {
    this.u32(0)
    return this.#length
  }

  /** Writes how many bytes were appended since `beginLength`. */
  endLength(start: number): void {
    this.#bytes.writeUInt32LE(this.#length - start, start - 4)
  }

  /** Makes sure that `count` more bytes fit. */
  reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#bytes.length) return
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, needed))
    this.#bytes.copy(bytes, 0, 0, this.#length)
    this.#bytes = bytes
  }
}
