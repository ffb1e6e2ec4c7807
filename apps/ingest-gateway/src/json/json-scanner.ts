import { JsonSyntaxError } from './json-syntax-error.js'

/** What JSON allows and the store does not. Bits of `JsonScanner.flags`. */
export const SCAN_FLAG = {
  /** The escape \u0000, which PostgreSQL's text and jsonb cannot store. */
  nul: 1,
  /** Half of a surrogate pair, which is not a character; jsonb refuses it. */
  loneSurrogate: 2,
  /** A number that does not fit a double: above 1.8e308, nonzero and below 4.9e-324, or longer than NUMBER_BYTES_MAX characters. */
  numberRange: 4,
} as const

/** Far more digits than a double needs, and far fewer than the 16,383 fraction digits that jsonb allows. */
const NUMBER_BYTES_MAX = 1024
/** Numbers up to this length and without an exponent always fit a double. */
const NUMBER_BYTES_PLAIN = 300

const [QUOTE, BACKSLASH, COMMA, COLON, MINUS, PLUS, DOT] = [0x22, 0x5c, 0x2c, 0x3a, 0x2d, 0x2b, 0x2e]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
const [ZERO, NINE, LOWER_E, LOWER_U] = [0x30, 0x39, 0x65, 0x75]

/**
 * Scans JSON text (RFC 8259) in a byte array without building values: each method takes the offset where something begins and returns the
 * offset after it. It accepts exactly what JSON.parse accepts, provided that the bytes are valid UTF-8.
 *
 * The byte after the text must be 0. JSON contains NUL only as an escape, so no other bounds check is needed.
 */
export class JsonScanner {
  bytes: Uint8Array
  /** The offset after the text, where the 0 is. */
  end = 0
  /** Bits of SCAN_FLAG, set by what was scanned since the caller last cleared them. */
  flags = 0
  /** Object members scanned since the caller last cleared the count. */
  members = 0
  /** The deepest level of nesting scanned since the caller last cleared it. */
  deepest = 0
  /** The level of nesting in which the next call of skipValue starts. */
  level = 0
  /** Escapes in strings and keys scanned since the caller last cleared the count. */
  escapes = 0
  #isObject = new Uint8Array(256)

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  skipSpace(at: number): number {
    const bytes = this.bytes
    let p = at
    for (;;) {
      const c = bytes[p] as number
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return p
      p++
    }
  }

  /** `at` is the opening quote. */
  skipString(at: number): number {
    const bytes = this.bytes
    let p = at + 1
    for (;;) {
      let c = bytes[p] as number
      // These two comparisons cover almost every byte; only a space and '!' take the longer way.
      while (c > QUOTE && c !== BACKSLASH) c = bytes[++p] as number
      if (c === QUOTE) return p + 1
      if (c === BACKSLASH) p = this.#skipEscape(p)
      else if (c < 0x20) throw this.unexpected(p, 'a string')
      else p++
    }
  }

  /** `at` is the first byte of a value; spaces must be skipped before. */
  skipValue(at: number): number {
    const bytes = this.bytes
    let depth = 0
    let p = at
    for (;;) {
      const c = bytes[p] as number
      if (c === QUOTE) p = this.skipString(p)
      else if (c === OPEN_BRACE) {
        this.#open(depth++, 1)
        p = this.skipSpace(p + 1)
        if (bytes[p] !== CLOSE_BRACE) {
          p = this.skipKey(p)
          continue
        }
        p++
        depth--
      } else if (c === OPEN_BRACKET) {
        this.#open(depth++, 0)
        p = this.skipSpace(p + 1)
        if (bytes[p] !== CLOSE_BRACKET) continue
        p++
        depth--
      } else p = this.#skipScalar(p, c)
      p = this.#closeEnded(p, depth)
      if (this.#depth === 0) return p
      depth = this.#depth
    }
  }

  /** `at` is where the key of a member must begin. Returns where its value begins. */
  skipKey(at: number): number {
    if (this.bytes[at] !== QUOTE) throw this.unexpected(at, 'a key in double quotes')
    return this.skipColon(this.skipString(at))
  }

  /** From the end of a key to its value. */
  skipColon(at: number): number {
    this.members++
    let p = at
    if (this.bytes[p] !== COLON) {
      p = this.skipSpace(p)
      if (this.bytes[p] !== COLON) throw this.unexpected(p, "':'")
    }
    p++
    return (this.bytes[p] as number) > 0x20 ? p : this.skipSpace(p)
  }

  /** From the end of a member or element to the next one, or to the closing character `close`. */
  skipComma(at: number, close: number): number {
    const bytes = this.bytes
    let p = at
    if (bytes[p] !== COMMA) {
      p = this.skipSpace(p)
      if (bytes[p] === close) return p
      if (bytes[p] !== COMMA) throw this.unexpected(p, close === CLOSE_BRACE ? "',' or '}'" : "',' or ']'")
    }
    p++
    if ((bytes[p] as number) <= 0x20) p = this.skipSpace(p)
    if (bytes[p] === close) throw this.unexpected(p, 'another element after the comma')
    return p
  }

  /** The error for the byte at `at`, where `wanted` was expected. */
  unexpected(at: number, wanted: string): JsonSyntaxError {
    return new JsonSyntaxError(this.bytes, at, this.end, wanted)
  }

  #depth = 0

  /** Closes all containers that end at `at` and goes on to the next value. Leaves the remaining depth in #depth. */
  #closeEnded(at: number, depth: number): number {
    const bytes = this.bytes
    let p = at
    let level = depth
    while (level > 0) {
      if (this.#isObject[level - 1] === 1) {
        p = this.skipComma(p, CLOSE_BRACE)
        if (bytes[p] !== CLOSE_BRACE) {
          p = this.skipKey(p)
          break
        }
      } else {
        p = this.skipComma(p, CLOSE_BRACKET)
        if (bytes[p] !== CLOSE_BRACKET) break
      }
      p++
      level--
    }
    this.#depth = level
    return p
  }

  #open(depth: number, isObject: number): void {
    if (depth >= this.#isObject.length) {
      const wider = new Uint8Array(depth * 2)
      wider.set(this.#isObject)
      this.#isObject = wider
    }
    this.#isObject[depth] = isObject
    if (this.level + depth >= this.deepest) this.deepest = this.level + depth + 1
  }

  #skipScalar(at: number, first: number): number {
    if (first === MINUS || (first >= ZERO && first <= NINE)) return this.#skipNumber(at)
    if (first === 0x74) return this.#skipWord(at, 'true')
    if (first === 0x66) return this.#skipWord(at, 'false')
    if (first === 0x6e) return this.#skipWord(at, 'null')
    throw this.unexpected(at, 'a value')
  }

  #skipWord(at: number, word: string): number {
    for (let i = 1; i < word.length; i++) {
      if (this.bytes[at + i] !== word.charCodeAt(i)) throw this.unexpected(at + i, word)
    }
    return at + word.length
  }

  #skipNumber(at: number): number {
    const bytes = this.bytes
    let p = bytes[at] === MINUS ? at + 1 : at
    if (bytes[p] === ZERO) p++
    else p = this.#skipDigits(p)
    if (bytes[p] === DOT) p = this.#skipDigits(p + 1)
    const mantissaEnd = p
    if (((bytes[p] as number) | 0x20) === LOWER_E) {
      const sign = bytes[p + 1]
      p = this.#skipDigits(sign === PLUS || sign === MINUS ? p + 2 : p + 1)
    }
    if (p !== mantissaEnd || p - at > NUMBER_BYTES_PLAIN) this.#checkRange(at, mantissaEnd, p)
    return p
  }

  #skipDigits(at: number): number {
    const bytes = this.bytes
    let p = at
    let c = bytes[p] as number
    if (c < ZERO || c > NINE) throw this.unexpected(p, 'a digit')
    do c = bytes[++p] as number
    while (c >= ZERO && c <= NINE)
    return p
  }

  #checkRange(start: number, mantissaEnd: number, end: number): void {
    const text = latin1(this.bytes, start, Math.min(end, start + NUMBER_BYTES_MAX + 1))
    const value = Number(text)
    const isUnderflow = value === 0 && /[1-9]/.test(text.slice(0, mantissaEnd - start))
    if (text.length > NUMBER_BYTES_MAX || !Number.isFinite(value) || isUnderflow) this.flags |= SCAN_FLAG.numberRange
  }

  /** `at` is the backslash. */
  #skipEscape(at: number): number {
    const c = this.bytes[at + 1] as number
    this.escapes++
    if (c !== LOWER_U) {
      if ('"\\/bfnrt'.includes(String.fromCharCode(c))) return at + 2
      throw this.unexpected(at + 1, 'an escape character')
    }
    const unit = this.#hex4(at + 2)
    if (unit === 0) this.flags |= SCAN_FLAG.nul
    if (unit < 0xd800 || unit > 0xdfff) return at + 6
    if (unit < 0xdc00 && this.bytes[at + 6] === BACKSLASH && this.bytes[at + 7] === LOWER_U) {
      const low = this.#hex4(at + 8)
      if (low >= 0xdc00 && low <= 0xdfff) return at + 12
    }
    this.flags |= SCAN_FLAG.loneSurrogate
    return at + 6
  }

  #hex4(at: number): number {
    let unit = 0
    for (let p = at; p < at + 4; p++) {
      const c = this.bytes[p] as number
      const digit =
        c >= ZERO && c <= NINE ? c - ZERO : (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66 ? (c | 0x20) - 0x57 : -1
      if (digit < 0) throw this.unexpected(p, 'four hexadecimal digits')
      unit = unit * 16 + digit
    }
    return unit
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
