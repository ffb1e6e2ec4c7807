import { DecodeFault } from './decode-fault.js'
import { createNotes, type DecodeNotes } from './decode-notes.js'
import { MemberAdder } from './member-adder.js'

const DIGITS_EXACT = 15
const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
/** What ends a run of plain characters in a string: a quote, a backslash, or a control character. */
/** A quote, a backslash, or a control character, which JSON does not allow in strings. */
const STRING_STOP = /["\\]|[^\u0020-\uffff]/g
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

/**
 * Reads JSON without losing anything that JSON.parse loses:
 * - a number that a double cannot hold exactly (more than 15 digits that do not come back, 1e400) becomes its own text;
 * - all values of a name that occurs several times are kept (MemberAdder), and `notes.isRepeated` is set;
 * - `__proto__` is a name like any other;
 * - what is nested deeper than `depthMax` is kept as JSON text, and `notes.isDepthCut` is set. So recursion is bounded;
 * - half of a surrogate pair in an escape becomes U+FFFD, and `notes.isRepaired` is set.
 */
export class JsonReader {
  readonly #text: string
  readonly #depthMax: number
  #position = 0
  notes: DecodeNotes = createNotes()

  constructor(text: string, depthMax: number) {
    this.#text = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
    this.#depthMax = depthMax
  }

  /**
   * The value of the whole text.
   * @throws DecodeFault invalid_json
   */
  read(): unknown {
    const value = this.#value(0)
    this.#skipSpace()
    if (this.#position < this.#text.length) throw this.#fault('text after the end of the value')
    return value
  }

  /**
   * The next of several values, which stand one after the other with or without spaces between them; `notes` are its own. Undefined at the end of the
   * text.
   * @throws DecodeFault invalid_json; then the rest cannot be read
   */
  next(): { readonly value: unknown } | undefined {
    this.#skipSpace()
    if (this.#position >= this.#text.length) return undefined
    this.notes = createNotes()
    return { value: this.#value(0) }
  }

  #value(depth: number): unknown {
    this.#skipSpace()
    const start = this.#position
    const code = this.#text.charCodeAt(start)
    if (code === 0x22) return this.#string()
    if (code === 0x7b || code === 0x5b) {
      if (depth >= this.#depthMax) return this.#rawText()
      return code === 0x7b ? this.#object(depth + 1) : this.#array(depth + 1)
    }
    if (code === 0x74) return this.#word('true', true)
    if (code === 0x66) return this.#word('false', false)
    if (code === 0x6e) return this.#word('null', null)
    return this.#number()
  }

  #object(depth: number): unknown {
    const adder = new MemberAdder()
    this.#position++
    this.#skipSpace()
    if (this.#take(0x7d)) return adder.members
    for (;;) {
      this.#skipSpace()
      if (this.#text.charCodeAt(this.#position) !== 0x22) throw this.#fault('a name in quotes is expected')
      const name = this.#string()
      this.#skipSpace()
      if (!this.#take(0x3a)) throw this.#fault('a colon is expected')
      adder.add(name, this.#value(depth))
      this.#skipSpace()
      if (this.#take(0x7d)) {
        if (adder.isRepeated) this.notes.isRepeated = true
        return adder.members
      }
      if (!this.#take(0x2c)) throw this.#fault('a comma or } is expected')
    }
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = []
    this.#position++
    this.#skipSpace()
    if (this.#take(0x5d)) return items
    for (;;) {
      items.push(this.#value(depth))
      this.#skipSpace()
      if (this.#take(0x5d)) return items
      if (!this.#take(0x2c)) throw this.#fault('a comma or ] is expected')
    }
  }

  #string(): string {
    const text = this.#text
    let start = this.#position + 1
    let result = ''
    for (;;) {
      STRING_STOP.lastIndex = start
      const stop = STRING_STOP.exec(text)
      if (stop === null) throw this.#fault('a string does not end')
      const code = text.charCodeAt(stop.index)
      if (code === 0x22) {
        this.#position = stop.index + 1
        const whole = result + text.slice(start, stop.index)
        return result === '' ? whole : this.#repair(whole)
      }
      if (code !== 0x5c) {
        this.#position = stop.index
        throw this.#fault('a control character in a string')
      }
      result += text.slice(start, stop.index) + this.#escape(stop.index + 1)
      start = stop.index + (text[stop.index + 1] === 'u' ? 6 : 2)
    }
  }

  /** Only escapes can make half a pair: the text itself comes from UTF-8. */
  #repair(text: string): string {
    if (text.isWellFormed()) return text
    this.notes.isRepaired = true
    return text.toWellFormed()
  }

  #escape(at: number): string {
    const letter = this.#text[at] ?? ''
    const plain = ESCAPES[letter]
    if (plain !== undefined) return plain
    const hex = this.#text.slice(at + 1, at + 5)
    if (letter === 'u' && /^[0-9a-fA-F]{4}$/.test(hex)) return String.fromCharCode(Number.parseInt(hex, 16))
    this.#position = at
    throw this.#fault('an unknown escape in a string')
  }

  #number(): number | string {
    NUMBER.lastIndex = this.#position
    const match = NUMBER.exec(this.#text)
    if (match === null)
      throw this.#fault(this.#position < this.#text.length ? 'not a JSON value' : 'the text ends early')
    const [token, , exponent] = match
    this.#position += token.length
    const number = Number(token)
    // A double holds every number of 15 digits, within its range of exponents, and gives the same digits back.
    const isShort = token.length <= DIGITS_EXACT && (exponent === undefined || isNormal(number, token))
    return isShort || String(number) === token ? number : token
  }

  #word(word: string, value: boolean | null): boolean | null {
    if (!this.#text.startsWith(word, this.#position)) throw this.#fault('not a JSON value')
    this.#position += word.length
    return value
  }

  /** The source text of an object or array that is nested too deep. Goes through it without recursion. */
  #rawText(): string {
    const start = this.#position
    let depth = 0
    do {
      const code = this.#text.charCodeAt(this.#position)
      if (code === 0x22) this.#string()
      else if (Number.isNaN(code)) throw this.#fault('the text ends early')
      else {
        if (code === 0x7b || code === 0x5b) depth++
        else if (code === 0x7d || code === 0x5d) depth--
        this.#position++
      }
    } while (depth > 0)
    this.notes.isDepthCut = true
    return this.#text.slice(start, this.#position)
  }

  #take(code: number): boolean {
    if (this.#text.charCodeAt(this.#position) !== code) return false
    this.#position++
    return true
  }

  #skipSpace(): void {
    if (this.#text.charCodeAt(this.#position) > 0x20) return
    SPACE.lastIndex = this.#position
    this.#position += SPACE.exec(this.#text)?.[0].length ?? 0
  }

  #fault(reason: string): DecodeFault {
    return new DecodeFault('invalid_json', `not valid JSON at character ${this.#position}: ${reason}`)
  }
}

/** Whether the exponent of a number is one that a double has with all its digits. */
function isNormal(number: number, token: string): boolean {
  const size = Math.abs(number)
  return (size >= 1e-300 && size < 1e300) || /^-?[0.]+e/i.test(token)
}
