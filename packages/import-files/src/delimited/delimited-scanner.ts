import type { DelimitedFormat } from './delimited-format.js'

const [LF, CR, SPACE, BACKSLASH] = [0x0a, 0x0d, 0x20, 0x5c]

/** What is at a position: a whole record, a record whose end is not there yet, or something that is no record. */
export type ScanResult = 'record' | 'incomplete' | 'quote_not_closed' | 'text_after_quote'

/** After the last byte to scan there must be these two bytes, so that loops need no check for the end. */
export const sentinelBytes = (format: DelimitedFormat): readonly [number, number] => [LF, codeOf(format.quote) || LF]

const codeOf = (character: string): number => (character === '' ? 0 : character.charCodeAt(0))

/** Finds the cells of one record. The results are in the fields until the next call. */
export class DelimitedScanner {
  readonly #delimiter: number
  readonly #quote: number
  readonly #isBackslash: boolean
  readonly #isCrEnding: boolean
  readonly #skipSpaces: boolean
  readonly #cellsMax: number

  /** Two words a cell: its start, and its end. Quotes are not part of the cell. */
  readonly cells: Int32Array
  /** For each cell 1 when it was in quotes, 3 when quotes or backslashes in it are escaped. */
  readonly quoted: Uint8Array
  /** Number of cells in the record; only the first `cellsMax` of them are in `cells`. */
  count = 0
  /** Where the record ends, without its line ending. */
  end = 0
  /** Where the next record begins. */
  next = 0
  /** Where the scan gave up; the column is `count` + 1. */
  faultAt = 0
  /** Whether a cell has quotes; only then can the record have several lines. */
  hasQuotes = false

  constructor(format: DelimitedFormat, cellsMax: number) {
    this.#delimiter = codeOf(format.delimiter)
    // A byte that cannot be equal to the 0 of an unquoted format would cost a comparison more in the loop.
    this.#quote = format.quote === '' ? -1 : codeOf(format.quote)
    this.#isBackslash = format.escape === 'backslash'
    this.#isCrEnding = format.lineEnding === 'cr'
    this.#skipSpaces = format.skipSpaces
    this.#cellsMax = cellsMax
    this.cells = new Int32Array(2 * cellsMax)
    this.quoted = new Uint8Array(cellsMax)
  }

  /** Scans the record at `start`. `end`: the number of bytes that are there; `isLast`: no bytes follow them. */
  scan(bytes: Uint8Array, start: number, { end, isLast }: { end: number; isLast: boolean }): ScanResult {
    this.count = 0
    this.hasQuotes = false
    let at = start
    for (;;) {
      let first = at
      if (this.#skipSpaces) while (bytes[first] === SPACE) first++
      if (bytes[first] !== this.#quote || first >= end) at = this.#scanPlain(bytes, at)
      else {
        const result = this.#scanQuoted(bytes, first, { end, isLast })
        if (result !== undefined) return result
        at = this.faultAt
      }
      const isEnding = this.#scanEnding(bytes, at, { end, isLast })
      if (isEnding === 'text') {
        this.faultAt = at
        return 'text_after_quote'
      }
      this.count++
      if (isEnding === 'incomplete') return 'incomplete'
      if (isEnding === 'record') return 'record'
      at++
    }
  }

  #put(start: number, end: number, quoted: number): void {
    const cell = this.count
    if (cell >= this.#cellsMax) return
    this.cells[2 * cell] = start
    this.cells[2 * cell + 1] = end
    this.quoted[cell] = quoted
  }

  /** Returns where the cell ends. */
  #scanPlain(bytes: Uint8Array, start: number): number {
    const delimiter = this.#delimiter
    let at = start
    for (;;) {
      const byte = bytes[at]
      if (byte === delimiter || byte === LF) break
      if (byte === CR && (this.#isCrEnding || bytes[at + 1] === LF)) break
      at++
    }
    this.#put(start, at, 0)
    return at
  }

  /** Leaves the position after the closing quote (and after spaces) in `faultAt`. */
  #scanQuoted(
    bytes: Uint8Array,
    open: number,
    { end, isLast }: { end: number; isLast: boolean },
  ): ScanResult | undefined {
    const quote = this.#quote
    let at = open + 1
    let flags = 1
    this.hasQuotes = true
    for (;;) {
      if (this.#isBackslash) while (bytes[at] !== quote && bytes[at] !== BACKSLASH) at++
      else while (bytes[at] !== quote) at++
      if (at >= end) {
        this.faultAt = Math.min(open, end)
        return isLast ? 'quote_not_closed' : 'incomplete'
      }
      const isEscape = this.#isBackslash ? bytes[at] === BACKSLASH : at + 1 < end && bytes[at + 1] === quote
      if (!isEscape) break
      flags = 3
      at += 2
    }
    this.#put(open + 1, at, flags)
    at++
    if (this.#skipSpaces) while (bytes[at] === SPACE && at < end) at++
    this.faultAt = at
    return undefined
  }

  #scanEnding(
    bytes: Uint8Array,
    at: number,
    { end, isLast }: { end: number; isLast: boolean },
  ): 'cell' | 'record' | 'incomplete' | 'text' {
    if (at < end) {
      const byte = bytes[at]
      if (byte === this.#delimiter) return 'cell'
      if (byte === LF) return this.#endRecord(at, at + 1)
      if (byte !== CR) return 'text'
      // An LF may still follow.
      if (at + 1 >= end && !isLast) return 'incomplete'
      if (at + 1 < end && bytes[at + 1] === LF) return this.#endRecord(at, at + 2)
      if (this.#isCrEnding || at + 1 >= end) return this.#endRecord(at, at + 1)
      return 'text'
    }
    return isLast ? this.#endRecord(end, end) : 'incomplete'
  }

  #endRecord(end: number, next: number): 'record' {
    this.end = end
    this.next = next
    return 'record'
  }
}
