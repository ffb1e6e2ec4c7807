import { decodeString } from '../json/decode-string.js'
import type { RequestText } from '../json/request-text.js'
import type { EventScanner, MemberRange } from './event-scanner.js'
import { type EventTable, FIELD, ROW } from './event-table.js'

const [QUOTE, LOWER_N, OPEN_BRACE] = [0x22, 0x6e, 0x7b]

/**
 * One scanned event: where its fields are, and how a wire changes them. One instance serves all events, one after the other. New values are
 * appended to the request's text, so they too are ranges of its bytes.
 */
export class EventRow {
  /** Index in EVENT_TYPES of the event's type. */
  type = 0
  /** Index in EVENT_TYPES of the type that the request's path names, or -1. */
  pathType = -1
  /** What is wrong with the event, where that says more than the code of the rejection. */
  detail: string | undefined
  /** First word of the event's row. */
  at = 0
  readonly #text: RequestText
  readonly #table: EventTable
  readonly #scanner: EventScanner

  constructor(deps: { text: RequestText; table: EventTable; scanner: EventScanner }) {
    this.#text = deps.text
    this.#table = deps.table
    this.#scanner = deps.scanner
  }

  /** Turns to another event. */
  begin(at: number, pathType: number): void {
    this.at = at
    this.pathType = pathType
    this.detail = undefined
  }

  get bytes(): Buffer {
    return this.#text.bytes
  }

  /** Where the event begins in the bytes, and where it ends. */
  get range(): { start: number; end: number } {
    const { words } = this.#table
    return { start: words[this.at + ROW.start] as number, end: words[this.at + ROW.end] as number }
  }

  /** Where the value of a field begins; 0 when the field is absent. */
  start(field: number): number {
    return this.#table.words[this.at + ROW.fields + 2 * field] as number
  }

  end(field: number): number {
    return this.#table.words[this.at + ROW.fields + 2 * field + 1] as number
  }

  /** Whether a field is absent or null. */
  isAbsent(field: number): boolean {
    const start = this.start(field)
    return start === 0 || this.bytes[start] === LOWER_N
  }

  /** Whether a field is absent, null or the empty string: then it has no value. */
  isUnset(field: number): boolean {
    const start = this.start(field)
    const { bytes } = this
    return start === 0 || bytes[start] === LOWER_N || (bytes[start] === QUOTE && this.end(field) === start + 2)
  }

  /** Whether a field is a string of at least one character. */
  isText(field: number): boolean {
    const start = this.start(field)
    return start !== 0 && this.bytes[start] === QUOTE && this.bytes[start + 1] !== QUOTE
  }

  /** Whether a field is a JSON object. */
  isObject(field: number): boolean {
    const start = this.start(field)
    return start !== 0 && this.bytes[start] === OPEN_BRACE
  }

  /** The string in a field; undefined when it is another value or absent. */
  text(field: number): string | undefined {
    const start = this.start(field)
    if (start === 0 || this.bytes[start] !== QUOTE) return undefined
    return JSON.parse(this.json(field)) as string
  }

  /** The value of a field as JSON text, escapes included. */
  json(field: number): string {
    const [start, end] = [this.start(field), this.end(field)]
    const isDecoded = start > this.#text.end && this.bytes[start] === QUOTE
    return isDecoded ? JSON.stringify(this.#text.slice(start + 1, end - 1)) : this.#text.slice(start, end)
  }

  /** Bytes `start` to `end` as text. */
  slice(start: number, end: number): string {
    return this.#text.slice(start, end)
  }

  /** Makes one field mean the value of another. */
  copy(from: number, to: number): void {
    this.setRange(to, this.start(from), this.end(from))
  }

  setRange(field: number, start: number, end: number): void {
    const { words } = this.#table
    words[this.at + ROW.fields + 2 * field] = start
    words[this.at + ROW.fields + 2 * field + 1] = end
  }

  /** Gives a field a string value. */
  setText(field: number, text: string): void {
    // In quotes but without escapes: the validator takes what is between the quotes as it is.
    this.setRange(field, this.#text.appendText(`"${text}"`), this.#text.used)
  }

  /** Gives a field another value, as JSON text. */
  setJson(field: number, json: string): void {
    this.setRange(field, this.#text.appendText(json), this.#text.used)
  }

  /** Finds the watched properties again. Must be called after the properties have been replaced. */
  watchProperties(): void {
    this.#scanner.scanWatchedAgain(this.start(FIELD.properties), this.at)
  }

  /** Calls `visit` with each member of the event. */
  forEachMember(visit: (key: string, range: MemberRange) => void): void {
    this.#scanner.forEachMember(this.range.start, visit)
  }

  /** Replaces strings that contain escapes by their plain form. */
  decodeTexts(fields: readonly number[]): void {
    for (const field of fields) {
      const [start, end] = [this.start(field), this.end(field)]
      if (start === 0 || this.bytes[start] !== QUOTE) continue
      if (!this.bytes.subarray(start, end).includes(0x5c)) continue
      this.setText(field, decodeString(this.bytes, start, end))
    }
  }
}
