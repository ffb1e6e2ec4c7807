import { BACKSLASH, isDigit, isWhiteSpace, NEWLINE, QUOTE } from './byte-table.js'

/**
 * Says which positions of a JSON text, or of one JSON text a line, are inside a string. Positions are asked in ascending order, so each byte is read
 * once.
 */
export class JsonStrings {
  readonly #bytes: Buffer
  readonly #end: number
  /** Whether the text begins as JSON objects and arrays do. Prose in brackets may pass; then a masked number gets quotes that it does not need. */
  readonly isJson: boolean
  #readTo: number
  #isInside = false

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#end = end
    this.#readTo = start
    this.isJson = beginsAsJson(bytes, start, end)
  }

  /** False where the text is not JSON. */
  isInside(position: number): boolean {
    if (!this.isJson) return false
    const stop = Math.min(position, this.#end)
    for (let at = this.#readTo; at < stop; at++) {
      const code = this.#bytes[at]
      if (code === QUOTE) this.#isInside = !this.#isInside
      else if (code === BACKSLASH && this.#isInside) at++
      else if (code === NEWLINE) this.#isInside = false
      this.#readTo = at + 1
    }
    return this.#isInside
  }
}

function beginsAsJson(bytes: Buffer, start: number, end: number): boolean {
  const first = skipWhiteSpace(bytes, start, end)
  if (bytes[first] !== 0x7b && bytes[first] !== 0x5b) return false
  const second = skipWhiteSpace(bytes, first + 1, end)
  if (second >= end) return false
  const code = bytes[second] as number
  if (bytes[first] === 0x7b) return code === QUOTE || code === 0x7d
  if (code === QUOTE || code === 0x5b || code === 0x7b || code === 0x5d || isDigit(code)) return true
  if (code === 0x2d) return isDigit(bytes[second + 1])
  return /^(?:true|false|null)/.test(bytes.toString('latin1', second, Math.min(end, second + 5)))
}

function skipWhiteSpace(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && isWhiteSpace(bytes[at])) at++
  return at
}
