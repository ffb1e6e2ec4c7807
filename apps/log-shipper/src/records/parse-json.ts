/** Numbers that JSON.parse may change: long ones, and those with an exponent. Also matches digits inside strings, which costs only time. */
const MAY_LOSE_DIGITS = /\d{16}|\d[eE]|\d\.\d{15}/

/** The value of a JSON text. */
export interface ParsedJson {
  readonly value: unknown
  /** Whether an object of it has a key twice; the last value is kept. Only known when the text has numbers that need the exact parser. */
  readonly hasRepeatedKeys: boolean
}

/**
 * Like JSON.parse, but a number that a double cannot hold (an integer beyond 2^53, 1e400, more digits than a double has) becomes a string of its digits.
 * An own key `__proto__` is a key like any other.
 * @throws SyntaxError
 */
export function parseJson(text: string): ParsedJson {
  if (!MAY_LOSE_DIGITS.test(text)) return { value: JSON.parse(text), hasRepeatedKeys: false }
  const parser = new ExactParser(text)
  return { value: parser.parse(), hasRepeatedKeys: parser.hasRepeatedKeys }
}

/** Escapes and control characters are checked by JSON.parse. */
const STRING = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const SPACE = /[ \t\r\n]*/y
const WORD = /true|false|null/y
const WORDS: Readonly<Record<string, unknown>> = { true: true, false: false, null: null }

type Container = unknown[] | Map<string, unknown>

/** Keeps its own stack, so that nesting of any depth needs no stack of the engine. */
class ExactParser {
  readonly #text: string
  #at = 0
  hasRepeatedKeys = false

  constructor(text: string) {
    this.#text = text
  }

  parse(): unknown {
    const root: unknown[] = []
    const open: Container[] = [root]
    const keys: (string | undefined)[] = [undefined]
    this.#value(open, keys, root)
    while (open.length > 1) {
      const top = open[open.length - 1] as Container
      const isArray = Array.isArray(top)
      const isEmpty = isArray ? top.length === 0 : top.size === 0
      const close = isArray ? ']' : '}'
      if (this.#take(close)) this.#close(open, keys)
      else {
        if (!isEmpty && !this.#take(',')) throw this.#fault()
        if (!isArray) keys[keys.length - 1] = this.#key(top)
        this.#value(open, keys, top)
      }
    }
    this.#match(SPACE)
    if (this.#at < this.#text.length) throw this.#fault()
    return root[0]
  }

  /** Reads a scalar into its container, or opens a container. */
  #value(open: Container[], keys: (string | undefined)[], into: Container): void {
    if (this.#take('[')) {
      open.push([])
      keys.push(undefined)
    } else if (this.#take('{')) {
      open.push(new Map())
      keys.push(undefined)
    } else this.#put(into, keys[keys.length - 1], this.#scalar())
  }

  #close(open: Container[], keys: (string | undefined)[]): void {
    const closed = open.pop() as Container
    keys.pop()
    // fromEntries defines own properties, so `__proto__` stays a key.
    const value = Array.isArray(closed) ? closed : Object.fromEntries(closed)
    this.#put(open[open.length - 1] as Container, keys[keys.length - 1], value)
  }

  #put(into: Container, key: string | undefined, value: unknown): void {
    if (Array.isArray(into)) into.push(value)
    else into.set(key as string, value)
  }

  #key(object: Map<string, unknown>): string {
    this.#match(SPACE)
    const text = this.#match(STRING)
    if (text === undefined || !this.#take(':')) throw this.#fault()
    const key = JSON.parse(text) as string
    if (object.has(key)) this.hasRepeatedKeys = true
    return key
  }

  #scalar(): unknown {
    this.#match(SPACE)
    const string = this.#match(STRING)
    if (string !== undefined) return JSON.parse(string)
    const number = this.#match(NUMBER)
    if (number !== undefined) return toExactNumber(number)
    const word = this.#match(WORD)
    if (word === undefined) throw this.#fault()
    return WORDS[word]
  }

  #take(character: string): boolean {
    this.#match(SPACE)
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #match(expression: RegExp): string | undefined {
    expression.lastIndex = this.#at
    const found = expression.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #fault(): SyntaxError {
    return new SyntaxError(`unexpected character at position ${this.#at}`)
  }
}

/** A number, or its digits as a string where a double would hold another value. */
function toExactNumber(digits: string): number | string {
  const value = Number(digits)
  if (!Number.isFinite(value)) return digits
  return sameDecimal(digits, String(value)) ? value : digits
}

/** Whether two decimal numbers are equal. */
function sameDecimal(left: string, right: string): boolean {
  const [a, b] = [toDecimal(left), toDecimal(right)]
  return a.digits === b.digits && (a.digits === '' || (a.exponent === b.exponent && a.isNegative === b.isNegative))
}

/** Significant digits without zeros at either end, and the power of ten of the last one. */
function toDecimal(text: string): { isNegative: boolean; digits: string; exponent: number } {
  const [, sign = '', whole = '', fraction = '', power = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(
    text,
  ) as RegExpExecArray
  const all = `${whole}${fraction}`.replace(/^0+/, '')
  const digits = all.replace(/0+$/, '')
  return { isNegative: sign !== '', digits, exponent: Number(power) - fraction.length + all.length - digits.length }
}
