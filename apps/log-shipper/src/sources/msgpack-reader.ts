import { DecodeFault } from '../fields/decode-fault.js'
import type { DecodeNotes } from '../fields/decode-notes.js'
import { MemberAdder } from '../fields/member-adder.js'
import { decodeText } from './repaired-text.js'

/** A value of an extension type. */
export class MsgpackExtension {
  readonly type: number
  readonly data: Buffer

  constructor(type: number, data: Buffer) {
    this.type = type
    this.data = data
  }
}

/** What begins at a byte: how many bytes follow its header, and how many values are inside. */
interface Header {
  readonly kind: 'nil' | 'bool' | 'number' | 'text' | 'binary' | 'array' | 'map' | 'extension'
  /** Bytes of the content that is no value of its own. */
  readonly bytes: number
  /** Values inside of an array or a map. */
  readonly values: number
}

/** How many bytes of a header follow its first byte. */
const HEADER_BYTES: ReadonlyMap<number, number> = new Map([
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xc7, 2],
  [0xc8, 3],
  [0xc9, 5],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xdc, 2],
  [0xdd, 4],
  [0xde, 2],
  [0xdf, 4],
])
const NUMBER_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8]

/** The number of bytes of the header that begins with this byte. */
export function headerBytes(first: number): number {
  if (first >= 0xd4 && first <= 0xd8) return 2
  return 1 + (HEADER_BYTES.get(first) ?? 0)
}

/**
 * Reads a header; the caller has made sure that all its bytes are there.
 * @throws DecodeFault for the one byte that begins nothing
 */
export function readHeader(bytes: Buffer, at: number): Header {
  const first = bytes[at] as number
  if (first <= 0x7f || first >= 0xe0) return { kind: 'number', bytes: 0, values: 0 }
  if (first <= 0x8f) return { kind: 'map', bytes: 0, values: 2 * (first & 0x0f) }
  if (first <= 0x9f) return { kind: 'array', bytes: 0, values: first & 0x0f }
  if (first <= 0xbf) return { kind: 'text', bytes: first & 0x1f, values: 0 }
  if (first === 0xc0) return { kind: 'nil', bytes: 0, values: 0 }
  if (first === 0xc1) throw new DecodeFault('invalid_record', `not valid msgpack at byte ${at}: 0xc1 begins no value`)
  if (first <= 0xc3) return { kind: 'bool', bytes: 0, values: 0 }
  if (first >= 0xca && first <= 0xd3) return { kind: 'number', bytes: NUMBER_BYTES[first - 0xca] as number, values: 0 }
  if (first >= 0xd4 && first <= 0xd8) return { kind: 'extension', bytes: 2 ** (first - 0xd4), values: 0 }
  const width = first <= 0xc9 && first >= 0xc7 ? 2 ** (first - 0xc7) : (HEADER_BYTES.get(first) as number)
  const length = bytes.readUIntBE(at + 1, width)
  if (first <= 0xc6) return { kind: 'binary', bytes: length, values: 0 }
  if (first <= 0xc9) return { kind: 'extension', bytes: length, values: 0 }
  if (first <= 0xdb) return { kind: 'text', bytes: length, values: 0 }
  return first <= 0xdd ? { kind: 'array', bytes: 0, values: length } : { kind: 'map', bytes: 0, values: 2 * length }
}

/**
 * Reads MessagePack values one after the other, https://github.com/msgpack/msgpack/blob/master/spec.md
 *
 * Text and binary data become strings, with invalid UTF-8 repaired: loggers send lines as either. Whole numbers beyond 2^53, NaN and the infinities
 * become text. What is nested deeper than `depthMax` becomes the base64 text of its MessagePack. Names that are no text become their JSON.
 */
export class MsgpackReader {
  readonly #bytes: Buffer
  readonly #depthMax: number
  #position = 0
  notes: DecodeNotes

  constructor(bytes: Buffer, notes: DecodeNotes, depthMax: number) {
    this.#bytes = bytes
    this.notes = notes
    this.#depthMax = depthMax
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#bytes.length
  }

  /**
   * The next value.
   * @throws DecodeFault
   */
  value(depth = 0): unknown {
    const start = this.#position
    const first = this.#bytes[start]
    const header = this.#header()
    if (header.kind === 'array' || header.kind === 'map') {
      if (depth < this.#depthMax) return header.kind === 'array' ? this.#array(header, depth) : this.#map(header, depth)
      this.#skipValues(header.values)
      this.notes.isDepthCut = true
      return this.#bytes.toString('base64', start, this.#position)
    }
    if (header.kind === 'nil') return null
    if (header.kind === 'bool') return first === 0xc3
    const content = this.#move(header.bytes)
    if (header.kind === 'number') return this.#number(first as number, content)
    if (header.kind === 'extension')
      return new MsgpackExtension(this.#bytes.readInt8(content - 1), this.#bytes.subarray(content, this.#position))
    return this.#text(content)
  }

  /** The number of items of the array that begins here; undefined when something else does. */
  arrayLength(): number | undefined {
    const header = this.#header()
    return header.kind === 'array' ? header.values : undefined
  }

  /** The bytes of the text or binary value that begins here; undefined when something else does, which is skipped. */
  rawText(): Buffer | undefined {
    const start = this.#position
    const header = this.#header()
    if (header.kind === 'text' || header.kind === 'binary') {
      const content = this.#move(header.bytes)
      return this.#bytes.subarray(content, this.#position)
    }
    this.#position = start
    this.skip()
    return undefined
  }

  /** The next value as its bytes. */
  rawValue(): Buffer {
    const start = this.#position
    this.skip()
    return this.#bytes.subarray(start, this.#position)
  }

  /** Skips one value without recursion. */
  skip(): void {
    this.#skipValues(1)
  }

  #skipValues(values: number): void {
    for (let left = values; left > 0; left--) {
      const header = this.#header()
      this.#move(header.bytes)
      left += header.values
    }
  }

  #array({ values }: Header, depth: number): unknown[] {
    const items: unknown[] = []
    for (let index = 0; index < values; index++) items.push(toJson(this.value(depth + 1)))
    return items
  }

  #map({ values }: Header, depth: number): unknown {
    const adder = new MemberAdder()
    for (let index = 0; index < values; index += 2) {
      const key = toJson(this.value(depth + 1))
      adder.add(typeof key === 'string' ? key : JSON.stringify(key), toJson(this.value(depth + 1)))
    }
    if (adder.isRepeated) this.notes.isRepeated = true
    return adder.members
  }

  #text(content: number): string {
    const { text, isRepaired } = decodeText(this.#bytes, content, this.#position)
    if (isRepaired) this.notes.isRepaired = true
    return text
  }

  #number(first: number, at: number): number | string {
    const bytes = this.#bytes
    if (first <= 0x7f) return first
    if (first >= 0xe0) return first - 0x100
    if (first === 0xca) return toJsonNumber(bytes.readFloatBE(at))
    if (first === 0xcb) return toJsonNumber(bytes.readDoubleBE(at))
    if (first === 0xcf) return toExact(bytes.readBigUInt64BE(at))
    if (first === 0xd3) return toExact(bytes.readBigInt64BE(at))
    const width = NUMBER_BYTES[first - 0xca] as number
    return first <= 0xce ? bytes.readUIntBE(at, width) : bytes.readIntBE(at, width)
  }

  #header(): Header {
    const at = this.#position
    const first = this.#bytes[at]
    if (first === undefined) throw this.#fault('it ends early')
    this.#move(headerBytes(first))
    return readHeader(this.#bytes, at)
  }

  #move(bytes: number): number {
    const at = this.#position
    if (bytes > this.#bytes.length - at) throw this.#fault('it ends early')
    this.#position = at + bytes
    return at
  }

  #fault(reason: string): DecodeFault {
    return new DecodeFault('invalid_record', `not valid msgpack at byte ${this.#position}: ${reason}`)
  }
}

function toJsonNumber(number: number): number | string {
  return Number.isFinite(number) ? number : String(number)
}

function toExact(number: bigint): number | string {
  const value = Number(number)
  return Number.isSafeInteger(value) ? value : String(number)
}

/** A value inside of another one: an extension has no JSON, so its bytes are kept as base64. */
function toJson(value: unknown): unknown {
  return value instanceof MsgpackExtension ? value.data.toString('base64') : value
}
