import { createHash } from 'node:crypto'

/** The beginning of a text that does not fit into a cursor, with a hash that tells the text from others that begin alike. */
export interface ShortenedText {
  readonly prefix: string
  /** SHA-256 of the UTF-8 bytes, its first 12 bytes in hexadecimal. */
  readonly hash: string
}

/** Numbers are finite. Texts hold no lone surrogates: PostgreSQL cannot store any. */
export type CursorValue = string | number | null | Uint8Array | ShortenedText

/** Bytes of the hash that stands for a text too long for a cursor. */
export const HASH_BYTES = 12

const TAG = { null: 0, number: 1, text: 2, shortened: 3, bytes: 4 } as const

/** 96 bits of the SHA-256 of a text, in hexadecimal. */
export function hashOfText(text: string): string {
  return createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, 2 * HASH_BYTES)
}

/** `hashOfText` in PostgreSQL, for statements that look up a shortened text. `expression` is SQL. */
export function hashOfTextSql(expression: string): string {
  return `encode(substr(sha256(convert_to(${expression}, 'UTF8')), 1, ${HASH_BYTES}), 'hex')`
}

/** Whether a value of a position stands for a longer text. */
export function isShortened(value: unknown): value is ShortenedText {
  return typeof value === 'object' && value !== null && 'prefix' in value
}

/** Values as bytes, one after the other. Unlike JSON no character takes more bytes than in UTF-8, so the length has a bound. */
export function encodeValues(values: readonly CursorValue[]): Buffer {
  return Buffer.concat(values.map(encodeValue))
}

/** Bytes that `encodeValues` needs for one value. */
export function encodedLength(value: CursorValue): number {
  return encodeValue(value).length
}

/** The values of `encodeValues`; null for any other bytes. */
export function decodeValues(bytes: Buffer): CursorValue[] | null {
  const values: CursorValue[] = []
  const reader = new Reader(bytes)
  try {
    while (!reader.isAtEnd) values.push(decodeValue(reader))
  } catch {
    return null
  }
  return values
}

function encodeValue(value: CursorValue): Buffer {
  if (value === null) return Buffer.of(TAG.null)
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9)
    bytes[0] = TAG.number
    bytes.writeDoubleBE(value, 1)
    return bytes
  }
  if (typeof value === 'string') return withLength(TAG.text, Buffer.from(value))
  if (isShortened(value))
    return Buffer.concat([withLength(TAG.shortened, Buffer.from(value.prefix)), Buffer.from(value.hash, 'hex')])
  return withLength(TAG.bytes, value)
}

function withLength(tag: number, content: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head[0] = tag
  head.writeUInt32BE(content.length, 1)
  return Buffer.concat([head, content])
}

/** "ignoreBOM" keeps a byte order mark as the character that it is. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws when the bytes are none of `encodeValues`. */
function decodeValue(reader: Reader): CursorValue {
  const [tag] = reader.take(1)
  switch (tag) {
    case TAG.null:
      return null
    case TAG.number: {
      const number = reader.take(8).readDoubleBE(0)
      if (!Number.isFinite(number)) throw new RangeError('the number is not finite')
      return number
    }
    case TAG.text:
      return utf8.decode(reader.takeWithLength())
    case TAG.shortened:
      return { prefix: utf8.decode(reader.takeWithLength()), hash: reader.take(HASH_BYTES).toString('hex') }
    case TAG.bytes:
      return reader.takeWithLength()
    default:
      throw new RangeError('the tag is not known')
  }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('the bytes end too early')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  takeWithLength(): Buffer {
    return this.take(this.take(4).readUInt32BE(0))
  }
}
