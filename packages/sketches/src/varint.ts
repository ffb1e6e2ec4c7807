const CUT_SHORT = 'the sketch is cut short or damaged'

/** Writes unsigned LEB128 numbers up to 2^53 - 1, doubles and bytes into a growing buffer. */
export class ByteWriter {
  #bytes: Buffer
  #length = 0

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  varint(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  double(value: number): void {
    this.#reserve(8)
    this.#length = this.#bytes.writeDoubleLE(value, this.#length)
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** A copy of the written bytes. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length))
  }

  #reserve(room: number): void {
    if (this.#length + room <= this.#bytes.length) return
    const bytes = Buffer.allocUnsafe(this.#bytes.length * 2 + room)
    this.#bytes.copy(bytes)
    this.#bytes = bytes
  }
}

/** Reads what ByteWriter wrote. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #offset: number

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes
    this.#offset = offset
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length
  }

  /**
   * @throws RangeError when fewer than 8 bytes are left.
   */
  double(): number {
    const at = this.#take(8)
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getFloat64(at, true)
  }

  /**
   * A view of the next bytes.
   * @throws RangeError when fewer are left.
   */
  bytes(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  #take(length: number): number {
    const at = this.#offset
    if (at + length > this.#bytes.length) throw new RangeError(CUT_SHORT)
    this.#offset = at + length
    return at
  }

  /**
   * @throws RangeError when the bytes end within the number.
   */
  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.#bytes[this.#offset++]
      if (byte === undefined || scale > 2 ** 49) throw new RangeError(CUT_SHORT)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }
}

/** Maps 0, -1, 1, -2 … to 0, 1, 2, 3 … */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
