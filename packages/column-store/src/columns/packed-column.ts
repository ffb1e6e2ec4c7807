import type { ByteReader } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import type { Presence } from '../bytes/presence.js'
import type { SchemaColumn } from '../schema.js'
import { ColumnAppender } from './column-appender.js'

const HYPHEN = 0x2d
/** Digits of a uuid before which a hyphen stands. */
const HYPHENS_BEFORE = new Set([8, 12, 16, 20])
const UUID_DIGITS = 36
const NO_DIGIT = 255
/** The value of each lower-case hexadecimal digit. */
const DIGITS = new Uint8Array(256).fill(NO_DIGIT)
for (let value = 0; value < 16; value++) DIGITS[value.toString(16).charCodeAt(0)] = value

/** Collects ids of equal length, two digits in a byte. Capital letters are refused, since they could not be given back. */
export class PackedAppender extends ColumnAppender {
  readonly #bytes = new GrowingBytes(1024)
  readonly #isUuid: boolean
  readonly #width: number

  constructor(column: SchemaColumn) {
    super(column)
    this.#isUuid = column.type === 'uuid'
    this.#width = column.width
  }

  get bytes(): number {
    return this.#bytes.length
  }

  /** Appends an id that is written in ASCII digits, with hyphens if it is a uuid. @throws COLUMN_VALUE_INVALID */
  append(digits: Uint8Array, start = 0, end = digits.length): void {
    const expected = this.#isUuid ? UUID_DIGITS : this.#width * 2
    if (end - start !== expected) throw this.#notAnId()
    this.#pack((index) => digits[start + index] as number)
  }

  /** @throws COLUMN_VALUE_INVALID */
  appendString(digits: string): void {
    const expected = this.#isUuid ? UUID_DIGITS : this.#width * 2
    if (digits.length !== expected) throw this.#notAnId()
    this.#pack((index) => digits.charCodeAt(index))
  }

  /** Appends the bytes of an id themselves. @throws COLUMN_VALUE_INVALID when there are fewer or more of them than the column holds */
  appendPacked(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (end - start !== this.#width) throw this.invalid(`an id must have ${this.#width} bytes`)
    this.#bytes.append(bytes, start, end)
    this.addedValue()
  }

  protected appendValueFrom({ bytes, width }: PackedColumn, row: number): void {
    this.appendPacked(bytes, row * width, (row + 1) * width)
  }

  protected truncateValues(slots: number): void {
    this.#bytes.length = slots * this.#width
  }

  protected clearValues(): void {
    this.#bytes.clear()
  }

  protected encodeValues(out: GrowingBytes): void {
    out.append(this.#bytes.buffer, 0, this.#bytes.length)
  }

  #pack(codeAt: (index: number) => number): void {
    this.#bytes.reserve(this.#width)
    const { buffer: target, length: start } = this.#bytes
    let index = 0
    for (let byte = 0; byte < this.#width; byte++) {
      if (this.#isUuid && HYPHENS_BEFORE.has(byte * 2) && codeAt(index++) !== HYPHEN) throw this.#notAnId()
      const high = DIGITS[codeAt(index++)] ?? NO_DIGIT
      const low = DIGITS[codeAt(index++)] ?? NO_DIGIT
      if (high === NO_DIGIT || low === NO_DIGIT) throw this.#notAnId()
      target[start + byte] = (high << 4) | low
    }
    this.#bytes.length = start + this.#width
    this.addedValue()
  }

  #notAnId(): Error {
    return this.invalid(
      this.#isUuid
        ? 'the value is not a uuid in lower-case digits'
        : `the value does not have ${this.#width * 2} lower-case hexadecimal digits`,
    )
  }
}

/** A decoded column of ids. */
export class PackedColumn {
  readonly presence: Presence
  readonly width: number
  /** `width` bytes a row; zeros in rows without a value. */
  readonly bytes: Buffer
  readonly #isUuid: boolean

  constructor(column: SchemaColumn, presence: Presence, packed: Buffer) {
    this.presence = presence
    this.width = column.width
    this.bytes = spreadIds(packed, presence, column.width)
    this.#isUuid = column.type === 'uuid'
  }

  value(row: number): string | null {
    if (this.presence !== undefined && this.presence[row] === 0) return null
    const digits = this.bytes.toString('hex', row * this.width, (row + 1) * this.width)
    return this.#isUuid ? withHyphens(digits) : digits
  }
}

function withHyphens(digits: string): string {
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
}

function spreadIds(packed: Buffer, presence: Presence, width: number): Buffer {
  if (presence === undefined) return packed
  const spread = Buffer.alloc(presence.length * width)
  let start = 0
  for (let row = 0; row < presence.length; row++) {
    if (presence[row] === 0) continue
    packed.copy(spread, row * width, start, start + width)
    start += width
  }
  return spread
}

/** @throws InvalidBytes */
export function decodePacked(reader: ByteReader, presence: Presence, { slots, column }: PackedShape): PackedColumn {
  return new PackedColumn(column, presence, reader.bytes(slots * column.width))
}

interface PackedShape {
  readonly slots: number
  readonly column: SchemaColumn
}
