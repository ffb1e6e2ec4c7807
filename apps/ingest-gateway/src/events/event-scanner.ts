import { decodeString } from '../json/decode-string.js'
import { JsonScanner } from '../json/json-scanner.js'
import { JsonSyntaxError } from '../json/json-syntax-error.js'
import { KeyTable } from '../json/key-table.js'
import type { RequestText } from '../json/request-text.js'
import { type EventTable, FIELD, ROW, ROW_FLAG, ROW_WORDS } from './event-table.js'

const nothing = new KeyTable([])
const [QUOTE, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x22, 0x7b, 0x7d, 0x5b, 0x5d]

/** The names that the scanner looks for in the events of a wire. */
export interface FieldNames {
  /** Finds the number of a field by its name: one of FIELD, or one of the wire's own. */
  readonly fields: KeyTable
  /** The field of an envelope that holds the list of events; -1 when the wire has no envelope. */
  readonly listField: number
}

/** Where a member of an object is in the bytes. */
export interface MemberRange {
  readonly keyStart: number
  /** Where its value begins and ends. */
  readonly start: number
  readonly end: number
}

/** What a value adds to the event of which it is a field. */
export interface Measure {
  /** Bits of SCAN_FLAG. */
  readonly flags: number
  /** Object members, including nested ones. */
  readonly members: number
  /** The deepest level of nesting, where the event itself is level 1. */
  readonly depth: number
}

/** The body holds more events than a request may. */
export class TooManyEvents extends Error {
  override readonly name = 'TooManyEvents'
}

/**
 * Finds the events of a body and the fields of each in one pass; nothing is parsed into objects.
 * Throws JsonSyntaxError when the body is not JSON, TooManyEvents when it holds more than `eventsMax` events.
 */
export class EventScanner {
  readonly #text: RequestText
  readonly #scanner: JsonScanner
  readonly #table: EventTable
  #fields = nothing
  #listField = -1
  /** Properties whose positions are noted while scanning. */
  #watched = nothing
  /** Index of the word for the first key in #scanMembers. A field, because an object for each call would cost more than the rest of the call. */
  #foundAt = 0
  eventsMax = Number.POSITIVE_INFINITY

  constructor(text: RequestText, table: EventTable) {
    this.#text = text
    this.#table = table
    this.#scanner = new JsonScanner(text.bytes)
  }

  /** Turns to the text that was just loaded, and to the field names of its wire. */
  begin(format: FieldNames, watched: KeyTable): void {
    this.#fields = format.fields
    this.#listField = format.listField
    this.#watched = watched
    this.#table.rows = 0
    this.#refresh()
  }

  /**
   * Scans a body that is one JSON value. An object fills row 0 and, if its list field is an array, one further row for each element; an array
   * leaves row 0 empty and fills one row for each element.
   */
  scanBody(at: number): void {
    const scanner = this.#scanner
    this.#table.rows = 0
    let p = scanner.skipSpace(at)
    if (scanner.bytes[p] === OPEN_BRACKET) {
      this.#table.add()
      p = this.#scanArray(p)
    } else p = this.#scanEvent(p)
    p = scanner.skipSpace(p)
    if (p < scanner.end) throw scanner.unexpected(p, 'the end of the text')
  }

  /** Whether a body is an object with something on a line after it, which is the sign of NDJSON. */
  isSeveralObjects(at: number): boolean {
    const scanner = this.#scanner
    const start = scanner.skipSpace(at)
    if (scanner.bytes[start] !== OPEN_BRACE) return false
    const end = scanner.skipValue(start)
    const next = scanner.skipSpace(end)
    return next < scanner.end && scanner.bytes.subarray(end, next).includes(0x0a)
  }

  /** Scans lines of one event each into rows from 1, without blank lines. A line that is not JSON gets a flagged row, or throws if strict. */
  scanLines(at: number, { isStrict }: { isStrict: boolean }): void {
    const { bytes, end } = this.#scanner
    this.#table.rows = 0
    this.#table.add()
    let p = at
    while (p < end) {
      let lineEnd = bytes.indexOf(0x0a, p)
      if (lineEnd < 0 || lineEnd > end) lineEnd = end
      this.#scanLine(p, lineEnd, isStrict)
      p = lineEnd + 1
    }
  }

  /** @throws JsonSyntaxError unless bytes `start` to `end` are exactly one JSON value, with space around it */
  checkOneValue(start: number, end: number): void {
    const scanner = this.#scanner
    const { bytes, end: textEnd } = scanner
    const ending = bytes[end] as number
    bytes[end] = 0
    scanner.end = end
    try {
      const after = scanner.skipSpace(scanner.skipValue(scanner.skipSpace(start)))
      if (after < end) throw scanner.unexpected(after, 'the end of the text')
    } finally {
      bytes[end] = ending
      scanner.end = textEnd
    }
  }

  /** Calls `visit` with each member of the object at `at`, which was scanned before. */
  forEachMember(at: number, visit: (key: string, range: MemberRange) => void): void {
    this.#refresh()
    const scanner = this.#scanner
    let p = scanner.skipSpace(at + 1)
    while (scanner.bytes[p] !== CLOSE_BRACE) {
      const keyEnd = scanner.skipString(p)
      const key = decodeString(this.#text.bytes, p, keyEnd)
      const start = scanner.skipColon(keyEnd)
      const end = scanner.skipValue(start)
      visit(key, { keyStart: p, start, end })
      // `visit` may have appended to the text and so moved it.
      this.#refresh()
      p = scanner.skipComma(end, CLOSE_BRACE)
    }
  }

  /**
   * Looks for members of the object at `at`, which was scanned before: writes to `found`, at the id that `keys` has for a member's key, where
   * its value begins, or 0.
   */
  findMembers(at: number, keys: KeyTable, found: Int32Array): void {
    this.#refresh()
    found.fill(0)
    this.#foundAt = 0
    this.#scanMembers(at, keys, found)
  }

  /** Where the value at `at`, which was scanned before, ends. */
  endOf(at: number): number {
    this.#refresh()
    return this.#scanner.skipValue(at)
  }

  /** Whether the object at `at`, which was scanned before, has no members. */
  isEmptyObject(at: number): boolean {
    this.#refresh()
    return this.#scanner.bytes[this.#scanner.skipSpace(at + 1)] === CLOSE_BRACE
  }

  /** Whether the list at `at`, which was scanned before, has no items. */
  isEmptyList(at: number): boolean {
    this.#refresh()
    return this.#scanner.bytes[this.#scanner.skipSpace(at + 1)] === CLOSE_BRACKET
  }

  /** What the value at `at`, which was scanned before, adds to an event of which it is a field. */
  measure(at: number): Measure {
    this.#refresh()
    const scanner = this.#scanner
    scanner.flags = 0
    scanner.members = 0
    scanner.deepest = 0
    scanner.level = 1
    scanner.skipValue(at)
    return { flags: scanner.flags, members: scanner.members, depth: scanner.deepest }
  }

  /** Notes in row `row` where the watched members of the object at `at` are, instead of those noted before. Returns the object's end. */
  #scanWatched(at: number, row: number): number {
    const { words } = this.#table
    words.fill(0, row + ROW.watched, row + ROW_WORDS)
    if (this.#scanner.bytes[at] !== OPEN_BRACE) return this.#scanner.skipValue(at)
    this.#foundAt = row + ROW.watched
    return this.#scanMembers(at, this.#watched, words)
  }

  /** Writes the starts of the values of the members that `keys` has, from `words[#foundAt]` on. Returns the end of the object at `at`. */
  #scanMembers(at: number, keys: KeyTable, words: Int32Array): number {
    const scanner = this.#scanner
    const first = this.#foundAt
    const { bytes } = scanner
    scanner.level++
    let p = scanner.skipSpace(at + 1)
    while (bytes[p] !== CLOSE_BRACE) {
      if (bytes[p] !== QUOTE) throw scanner.unexpected(p, 'a key in double quotes')
      const escapes = scanner.escapes
      const keyEnd = scanner.skipString(p)
      const id = this.#find(keys, p, keyEnd, escapes)
      p = scanner.skipColon(keyEnd)
      if (id >= 0) words[first + id] = p
      p = scanner.skipComma(scanner.skipValue(p), CLOSE_BRACE)
    }
    scanner.level--
    return p + 1
  }

  /** The same for an object that was made after scanning; `at` is 0 when there is none. */
  scanWatchedAgain(at: number, row: number): void {
    this.#refresh()
    if (at > 0) this.#scanWatched(at, row)
    else this.#table.words.fill(0, row + ROW.watched, row + ROW_WORDS)
  }

  #refresh(): void {
    this.#scanner.bytes = this.#text.bytes
    this.#scanner.end = this.#text.end
  }

  #scanLine(start: number, end: number, isStrict: boolean): void {
    const scanner = this.#scanner
    const textEnd = scanner.end
    const p = scanner.skipSpace(start)
    if (p >= end) return
    const rows = this.#table.rows
    const ending = scanner.bytes[end] as number
    scanner.bytes[end] = 0
    scanner.end = end
    try {
      const after = scanner.skipSpace(this.#scanEvent(p))
      if (after < end) throw scanner.unexpected(after, 'the end of the line')
    } catch (error) {
      if (isStrict || !(error instanceof JsonSyntaxError)) throw error
      this.#table.rows = rows
      const row = this.#add()
      this.#table.words[row + ROW.start] = p
      this.#table.words[row + ROW.end] = end
      this.#table.words[row + ROW.flags] = ROW_FLAG.malformed
    } finally {
      scanner.bytes[end] = ending
      scanner.end = textEnd
    }
  }

  #scanArray(at: number): number {
    const scanner = this.#scanner
    let p = scanner.skipSpace(at + 1)
    while (scanner.bytes[p] !== CLOSE_BRACKET) {
      p = scanner.skipComma(this.#scanEvent(p), CLOSE_BRACKET)
    }
    return p + 1
  }

  /** Scans the value at `at` into a row of its own. The row of an envelope does not count what is inside its events. */
  #scanEvent(at: number): number {
    const scanner = this.#scanner
    const row = this.#add()
    scanner.flags = 0
    scanner.members = 0
    scanner.deepest = 0
    scanner.escapes = 0
    scanner.level = 1
    const isObject = scanner.bytes[at] === OPEN_BRACE
    const end = isObject ? this.#scanFields(at, row) : scanner.skipValue(at)
    const { words } = this.#table
    words[row + ROW.start] = at
    words[row + ROW.end] = end
    words[row + ROW.flags] = isObject ? scanner.flags : ROW_FLAG.notObject
    words[row + ROW.members] = scanner.members
    words[row + ROW.depth] = scanner.deepest
    words[row + ROW.escapes] = scanner.escapes
    return end
  }

  #scanFields(at: number, row: number): number {
    const scanner = this.#scanner
    const fields = this.#fields
    const listField = this.#listField
    const { bytes } = scanner
    let p = scanner.skipSpace(at + 1)
    while (bytes[p] !== CLOSE_BRACE) {
      if (bytes[p] !== QUOTE) throw scanner.unexpected(p, 'a key in double quotes')
      const escapes = scanner.escapes
      const keyEnd = scanner.skipString(p)
      const field = this.#find(fields, p, keyEnd, escapes)
      p = scanner.skipColon(keyEnd)
      const start = p
      if (field === FIELD.properties) p = this.#scanWatched(p, row)
      else if (field === listField && field >= 0 && row === 0 && bytes[p] === OPEN_BRACKET) p = this.#scanList(p)
      else p = scanner.skipValue(p)
      if (field >= 0) {
        const { words } = this.#table
        words[row + ROW.fields + 2 * field] = start
        words[row + ROW.fields + 2 * field + 1] = p
      }
      p = scanner.skipComma(p, CLOSE_BRACE)
    }
    return p + 1
  }

  /** A second list in the same object replaces the first, as in every JSON parser. */
  #scanList(at: number): number {
    const scanner = this.#scanner
    const { flags, members, deepest, escapes, level } = scanner
    this.#table.rows = 1
    const end = this.#scanArray(at)
    scanner.flags = flags
    scanner.members = members
    scanner.deepest = deepest
    scanner.escapes = escapes
    scanner.level = level
    return end
  }

  #find(table: KeyTable, start: number, end: number, escapesBefore: number): number {
    const { bytes, escapes } = this.#scanner
    if (escapes === escapesBefore) return table.find(bytes, start + 1, end - 1)
    return table.findText(JSON.parse(Buffer.from(bytes.subarray(start, end)).toString('utf8')) as string)
  }

  #add(): number {
    if (this.#table.rows > this.eventsMax) throw new TooManyEvents()
    return this.#table.add()
  }
}
