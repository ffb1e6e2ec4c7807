/** Writes the fields of a Kafka message (big-endian) into a buffer of known size. https://kafka.apache.org/protocol.html#protocol_types */
export class WireWriter {
  readonly bytes: Buffer
  #at = 0

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size)
  }

  get offset(): number {
    return this.#at
  }

  /** The bytes that were written so far, without a copy. */
  get written(): Buffer {
    return this.bytes.subarray(0, this.#at)
  }

  int8(value: number): this {
    this.bytes[this.#at++] = value
    return this
  }

  int16(value: number): this {
    this.#at = this.bytes.writeInt16BE(value, this.#at)
    return this
  }

  int32(value: number): this {
    this.#at = this.bytes.writeInt32BE(value, this.#at)
    return this
  }

  uint32At(value: number, offset: number): void {
    this.bytes.writeUInt32BE(value, offset)
  }

  /** A safe integer, without the cost of a BigInt. */
  int64(value: number): this {
    this.#at = this.bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), this.#at)
    this.#at = this.bytes.writeUInt32BE(value >>> 0, this.#at)
    return this
  }

  /** STRING: its length as int16, and its bytes. */
  string(value: string): this {
    const length = this.bytes.write(value, this.#at + 2)
    this.bytes.writeInt16BE(length, this.#at)
    this.#at += 2 + length
    return this
  }

  raw(value: Buffer): this {
    this.#at += value.copy(this.bytes, this.#at)
    return this
  }

  /** VARINT and VARLONG: zigzag, 7 bits a byte. */
  varint(value: number): this {
    let left = zigzag(value)
    while (left > 0x7f) {
      this.bytes[this.#at++] = (left % 0x80) | 0x80
      left = Math.floor(left / 0x80)
    }
    this.bytes[this.#at++] = left
    return this
  }
}

/** Bytes that `varint` writes for a value. */
export function varintSize(value: number): number {
  let size = 1
  for (let left = zigzag(value); left > 0x7f; left = Math.floor(left / 0x80)) size++
  return size
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

/** Reads the fields of a Kafka message. @throws RangeError when the bytes end too early. */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  int8(): number {
    return this.#bytes.readInt8(this.#at++)
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  int64(): number {
    this.#at += 8
    return this.#bytes.readInt32BE(this.#at - 8) * 0x1_0000_0000 + this.#bytes.readUInt32BE(this.#at - 4)
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  nullableString(): string | undefined {
    const length = this.int16()
    return length < 0 ? undefined : this.raw(length).toString()
  }

  /** BYTES: its length as int32, and its bytes, without a copy. Null is read as empty. */
  bytes(): Buffer {
    return this.raw(Math.max(0, this.int32()))
  }

  array<T>(read: (reader: WireReader) => T): T[] {
    const length = this.int32()
    const items: T[] = []
    for (let i = 0; i < length; i++) items.push(read(this))
    return items
  }

  varint(): number {
    const value = this.uvarint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  uvarint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.#bytes.readUInt8(this.#at++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
      scale *= 0x80
    }
    return value
  }

  /** COMPACT_STRING and COMPACT_ARRAY of the flexible versions: the length plus 1 as an unsigned varint. */
  compactString(): string {
    return this.raw(Math.max(0, this.uvarint() - 1)).toString()
  }

  compactArray<T>(read: (reader: WireReader) => T): T[] {
    const length = this.uvarint() - 1
    const items: T[] = []
    for (let i = 0; i < length; i++) items.push(read(this))
    return items
  }

  /** The tagged fields that end each structure of the flexible versions. */
  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.skip(this.uvarint())
    }
  }

  /** The next bytes, without a copy. */
  raw(length: number): Buffer {
    if (length < 0 || length > this.left)
      throw new RangeError(`${length} bytes are expected, but ${this.left} are left`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  skip(length: number): void {
    this.raw(length)
  }
}
