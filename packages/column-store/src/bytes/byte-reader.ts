/** Says what is wrong with bytes that are being decoded. Whoever began the decoding turns it into an error with a code. */
export class InvalidBytes extends Error {}

/** Reads bytes in order and refuses to read beyond their end. Numbers are little-endian. */
export class ByteReader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  get left(): number {
    return this.#bytes.length - this.#offset
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2))
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4))
  }

  /** Big-endian, as PostgreSQL sends numbers. */
  u16be(): number {
    return this.#bytes.readUInt16BE(this.#take(2))
  }

  /** Big-endian. */
  u32be(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }

  /** An integer as `varint` of GrowingBytes writes it. */
  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (value > Number.MAX_SAFE_INTEGER || scale > 2 ** 49) throw new InvalidBytes('an integer is too large')
      if (byte < 0x80) return value
    }
  }

  /** A view of the next bytes. */
  bytes(count: number): Buffer {
    const start = this.#take(count)
    return this.#bytes.subarray(start, start + count)
  }

  /** A view of the next u32 and as many bytes as it says. */
  counted(): Buffer {
    return this.bytes(this.u32())
  }

  rest(): Buffer {
    return this.bytes(this.left)
  }

  /** @throws InvalidBytes when bytes are left over. */
  end(): void {
    if (this.left > 0) throw new InvalidBytes(`${this.left} bytes are left over`)
  }

  #take(count: number): number {
    if (count > this.left) throw new InvalidBytes(`${count} bytes are missing where only ${this.left} are left`)
    const start = this.#offset
    this.#offset += count
    return start
  }
}
