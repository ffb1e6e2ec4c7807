import { decodeString } from '../json/decode-string.js'
import { describeValue } from '../json/describe-value.js'
import type { KeyTable } from '../json/key-table.js'
import type { RequestText } from '../json/request-text.js'
import type { EventScanner, MemberRange } from './event-scanner.js'
import { type EventTable, FIELD, ROW } from './event-table.js'
import { MergeBase } from './merge-base.js'

const [SPACE, QUOTE, MINUS, ZERO, NINE, OPEN_BRACKET, LOWER_N, OPEN_BRACE] = [
  0x20, 0x22, 0x2d, 0x30, 0x39, 0x5b, 0x6e, 0x7b,
]

/** Longest id or name, in bytes. */
export const TEXT_BYTES_MAX = 255

/** What a field with an id or a name must be, for `explain`. */
export const A_TEXT = 'a string or a number'

/** Kinds of values of fields that are meant to be texts. */
export const KIND = {
  /** The field is absent, null, or a string of nothing but space. */
  none: 0,
  text: 1,
  /** Stands for the text of its digits, as they are written. */
  number: 2,
  /** A boolean, an object or a list: cannot be used. */
  other: 3,
} as const

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
  /** By field: its name in the wire, for `explain`. */
  fieldNames: readonly string[] = []
  readonly #text: RequestText
  readonly #table: EventTable
  readonly #scanner: EventScanner
  readonly #found = new Int32Array(1)

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

  /** What kind of value a field has, if it is meant to be a text: one of KIND. */
  kind(field: number): number {
    const start = this.start(field)
    if (start === 0) return KIND.none
    const first = this.bytes[start] as number
    if (first === QUOTE) return this.#isBlank(start + 1, this.end(field) - 1) ? KIND.none : KIND.text
    if (first === LOWER_N) return KIND.none
    return first === MINUS || (first >= ZERO && first <= NINE) ? KIND.number : KIND.other
  }

  /** Whether a field that is meant to be a text has no value. */
  isUnset(field: number): boolean {
    return this.kind(field) === KIND.none
  }

  /** Whether a field is a string, which may be empty. */
  isString(field: number): boolean {
    const start = this.start(field)
    return start !== 0 && this.bytes[start] === QUOTE
  }

  /** Whether a field is a JSON object. */
  isObject(field: number): boolean {
    const start = this.start(field)
    return start !== 0 && this.bytes[start] === OPEN_BRACE
  }

  /** The string in a field, or a number as it is written; undefined when it is another value or has none. */
  text(field: number): string | undefined {
    const kind = this.kind(field)
    if (kind === KIND.number) return this.slice(this.start(field), this.end(field))
    return kind === KIND.text ? (JSON.parse(this.json(field)) as string) : undefined
  }

  /** The text of a field, as `text`, in the form of a JSON string. */
  textJson(field: number): string {
    return this.kind(field) === KIND.number ? `"${this.json(field)}"` : this.json(field)
  }

  /** Says in `detail` what a field must be and what it is instead. */
  explain(field: number, wanted: string, found = describeValue(this.bytes, this.start(field))): void {
    this.detail = `${this.fieldNames[field]} must be ${wanted}, not ${found}`
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

  /** Replaces empty lists in these fields by empty objects. */
  replaceEmptyLists(fields: readonly number[]): void {
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i] as number
      const start = this.start(field)
      if (start !== 0 && this.bytes[start] === OPEN_BRACKET && this.#scanner.isEmptyList(start))
        this.setJson(field, '{}')
    }
  }

  /** Where the value of the member of the object in `field` whose key is the only one in `keys` begins; 0 when there is none. */
  findMember(field: number, keys: KeyTable): number {
    if (!this.isObject(field)) return 0
    this.#scanner.findMembers(this.start(field), keys, this.#found)
    return this.#found[0] as number
  }

  /** Merges the object at `base` with the object in a field, which wins (MergeBase). A field without a value becomes the object at `base`. */
  mergeObject(base: number, field: number): void {
    if (this.isAbsent(field)) {
      this.setRange(field, base, this.#scanner.endOf(base))
      return
    }
    const start = this.#text.used
    const mergeBase = new MergeBase(base, { text: this.#text, scanner: this.#scanner })
    mergeBase.append(this.start(field), this.end(field))
    this.setRange(field, start, this.#text.used)
  }

  /** Finds the watched properties again. Must be called after the properties have been replaced. */
  watchProperties(): void {
    this.#scanner.scanWatchedAgain(this.start(FIELD.properties), this.at)
  }

  /** Whether the text of a field is longer than allowed; then `detail` says so. */
  isTooLong(field: number): boolean {
    const quotes = this.kind(field) === KIND.text ? 2 : 0
    const bytes = this.end(field) - this.start(field) - quotes
    if (bytes <= TEXT_BYTES_MAX) return false
    this.detail = `${this.fieldNames[field]} must have at most ${TEXT_BYTES_MAX} bytes, not ${bytes}`
    return true
  }

  #isBlank(start: number, end: number): boolean {
    const { bytes } = this
    let p = start
    while (p < end && (bytes[p] as number) <= SPACE) p++
    return p === end
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
