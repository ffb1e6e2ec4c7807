import { EVENT_TYPES, FLAG, type Hash64, hashBytes, RecordSlices, SLICE } from '@millrace/contracts'
import { type EventFields, readNumber } from '@millrace/rollups'
import { decodeString } from '../json/decode-string.js'
import { MARK } from '../json/json-scanner.js'
import { KeyTable } from '../json/key-table.js'
import type { RequestText } from '../json/request-text.js'
import type { EventScanner } from './event-scanner.js'
import { type EventTable, FIELD, ROW, ROW_MARK } from './event-table.js'
import { parseTimestamp } from './parse-timestamp.js'
import type { RejectionCode } from './rejections.js'
import { checkTypedEvent } from './typed-events.js'

export interface EventLimits {
  /** Bytes of one event, what it takes over from its envelope included. */
  eventBytesMax: number
  /** Levels of nesting, the event itself being the first. */
  depthMax: number
  keysMax: number
  /** How far in the past and in the future an event's time may lie, in ms. */
  ageMaxMs: number
  aheadMaxMs: number
}

/** What all events of a request share. */
export interface RequestContext {
  tenantId: number
  receivedAtMs: number
  /** First word of the envelope's row, or -1 when there is none. */
  envelope: number
  /** Index in EVENT_TYPES of the type that the address names, or -1 where each event names its own. */
  type: number
}

const TEXT_BYTES_MAX = 255
const [QUOTE, DOLLAR, OPEN_BRACE, MINUS, ZERO, NINE, LOWER_N] = [0x22, 0x24, 0x7b, 0x2d, 0x30, 0x39, 0x6e]
const TYPE_TRACK = EVENT_TYPES.indexOf('track')
const typeTable = new KeyTable(EVENT_TYPES.map((type, index) => [type, index]))
/** The types whose body is called traits. */
const TRAIT_TYPES: ReadonlySet<number> = new Set([EVENT_TYPES.indexOf('identify'), EVENT_TYPES.indexOf('group')])
/** Fields beside the properties of a type that are kept with them. */
const EXTRA_FIELDS: readonly (readonly (keyof typeof FIELD)[])[] = [
  [],
  [],
  ['name', 'category'],
  ['name', 'category'],
  ['groupId'],
  ['previousId'],
]
const RESERVED_NAMES: ReadonlySet<string> = new Set(EVENT_TYPES.map((type) => `$${type}`))
const TEXT_FIELDS = [
  FIELD.type,
  FIELD.event,
  FIELD.messageId,
  FIELD.userId,
  FIELD.anonymousId,
  FIELD.groupId,
  FIELD.previousId,
  FIELD.timestamp,
]

/**
 * Decides whether one scanned event may go in, and makes it a record. One instance serves all requests, one event at a time: after a
 * `validator` that returned undefined, `slices` and `user` describe the record until the next call.
 */
export class EventValidator implements EventFields {
  readonly slices = new RecordSlices()
  readonly user: Hash64 = { lo: 0, hi: 0 }
  #message: Hash64 = { lo: 0, hi: 0 }
  #row = 0
  /** What the last refusal knows beyond its code. */
  detail: string | undefined
  readonly #limits: EventLimits
  readonly #text: RequestText
  readonly #table: EventTable
  readonly #scanner: EventScanner
  readonly #newMessageId: () => string

  constructor(
    limits: EventLimits,
    deps: { text: RequestText; table: EventTable; scanner: EventScanner; newMessageId: () => string },
  ) {
    this.#limits = limits
    this.#text = deps.text
    this.#table = deps.table
    this.#scanner = deps.scanner
    this.#newMessageId = deps.newMessageId
  }

  /** The code of the refusal of the event in row `row`, or undefined when it may go in. */
  validate(row: number, context: RequestContext): RejectionCode | undefined {
    this.#row = row
    this.detail = undefined
    const { slices } = this
    slices.tenantId = context.tenantId
    slices.receivedAtMs = context.receivedAtMs
    slices.flags = 0
    return (
      this.#checkShape(row) ??
      this.#readType(row, context) ??
      this.#readIds(row, context.tenantId) ??
      this.#readTime(row, context) ??
      this.#readContext(row, context) ??
      this.#readProperties(row) ??
      this.#readName(row)
    )
  }

  /** The message id of an event that was refused, as far as it can be told. */
  messageIdOf(row: number): string | null {
    const [start, end] = [this.#start(row, FIELD.messageId), this.#end(row, FIELD.messageId)]
    if (start === 0 || this.#text.bytes[start] !== QUOTE || end - start > TEXT_BYTES_MAX + 2) return null
    return JSON.parse(this.#json(start, end)) as string
  }

  /** The message id of the record. */
  get messageId(): string {
    const { ranges } = this.slices
    return this.#text.slice(ranges[2 * SLICE.messageId] as number, ranges[2 * SLICE.messageId + 1] as number)
  }

  get bytes(): Buffer {
    return this.#text.bytes
  }

  watched(slot: number): number {
    return this.#table.words[this.#row + ROW.watched + slot] as number
  }

  parsed(root: string): unknown {
    const slice = root === 'context' ? SLICE.context : SLICE.properties
    const start = this.slices.ranges[2 * slice] as number
    return start < 0 ? undefined : JSON.parse(this.#text.slice(start, this.slices.ranges[2 * slice + 1] as number))
  }

  #checkShape(row: number): RejectionCode | undefined {
    const { words } = this.#table
    const marks = words[row + ROW.marks] as number
    if (marks !== 0) return markCode(marks)
    if ((words[row + ROW.end] as number) - (words[row + ROW.start] as number) > this.#limits.eventBytesMax)
      return 'event_too_large'
    if ((words[row + ROW.depth] as number) > this.#limits.depthMax) return 'nested_too_deep'
    if ((words[row + ROW.members] as number) > this.#limits.keysMax) return 'too_many_keys'
    if ((words[row + ROW.escapes] as number) > 0) this.#decodeTexts(row)
    return undefined
  }

  /** Replaces texts with escapes in them by their plain form, in quotes, so that bytes may be compared, hashed and stored. */
  #decodeTexts(row: number): void {
    const { words } = this.#table
    for (const field of TEXT_FIELDS) {
      const [start, end] = [this.#start(row, field), this.#end(row, field)]
      if (start === 0 || this.#text.bytes[start] !== QUOTE) continue
      if (!this.#text.bytes.subarray(start, end).includes(0x5c)) continue
      words[row + ROW.fields + 2 * field] = this.#text.appendText(`"${decodeString(this.#text.bytes, start, end)}"`)
      words[row + ROW.fields + 2 * field + 1] = this.#text.used
    }
  }

  #readType(row: number, context: RequestContext): RejectionCode | undefined {
    let type = context.type
    if (type < 0) {
      const start = this.#start(row, FIELD.type)
      const { bytes } = this.#text
      if (start === 0 || bytes[start] === LOWER_N) type = TYPE_TRACK
      else type = bytes[start] === QUOTE ? typeTable.find(bytes, start + 1, this.#end(row, FIELD.type) - 1) : -1
    }
    this.slices.type = type
    return type < 0 ? 'invalid_type' : undefined
  }

  #readIds(row: number, tenantId: number): RejectionCode | undefined {
    const { ranges } = this.slices
    if (!this.#readText(row, FIELD.messageId, SLICE.messageId, false)) return 'invalid_message_id'
    if (!this.#readText(row, FIELD.userId, SLICE.userId, true)) return 'invalid_user_id'
    if (!this.#readText(row, FIELD.anonymousId, SLICE.anonymousId, true)) return 'invalid_anonymous_id'
    const user = (ranges[2 * SLICE.userId] as number) >= 0 ? SLICE.userId : SLICE.anonymousId
    if ((ranges[2 * user] as number) < 0) return 'missing_user'
    if ((ranges[2 * SLICE.messageId] as number) < 0) {
      ranges[2 * SLICE.messageId] = this.#text.appendText(this.#newMessageId())
      ranges[2 * SLICE.messageId + 1] = this.#text.used
    }
    const { slices } = this
    const { bytes } = this.#text
    slices.bytes = bytes
    hashBytes(bytes, ranges[2 * user] as number, ranges[2 * user + 1] as number, tenantId, this.user)
    slices.userHashLo = this.user.lo
    slices.userHashHi = this.user.hi
    hashBytes(
      bytes,
      ranges[2 * SLICE.messageId] as number,
      ranges[2 * SLICE.messageId + 1] as number,
      tenantId,
      this.#message,
    )
    slices.messageHashLo = this.#message.lo
    slices.messageHashHi = this.#message.hi
    return undefined
  }

  /** Notes the range of a text, -1 when it is absent, null or empty; false when it is no text or too long. */
  #readText(row: number, field: number, slice: number, mayBeInteger: boolean): boolean {
    const { ranges } = this.slices
    const { bytes } = this.#text
    let start = this.#start(row, field)
    let end = this.#end(row, field)
    ranges[2 * slice] = ranges[2 * slice + 1] = -1
    const first = start === 0 ? LOWER_N : bytes[start]
    if (first === LOWER_N) return true
    if (first === QUOTE) {
      start++
      end--
      if (start === end) return true
    } else if (!mayBeInteger || !isInteger(bytes, start, end)) return false
    if (end - start > TEXT_BYTES_MAX) return false
    ranges[2 * slice] = start
    ranges[2 * slice + 1] = end
    return true
  }

  /** Event time: the client's, shifted by the client's clock error where it said when it sent the request (Segment's rule). */
  #readTime(row: number, { receivedAtMs, envelope }: RequestContext): RejectionCode | undefined {
    let time = this.#time(row, FIELD.timestamp)
    if (time === undefined) time = this.#time(row, FIELD.originalTimestamp)
    if (time === undefined) time = receivedAtMs
    else {
      if (Number.isNaN(time)) return 'invalid_timestamp'
      const sentAt = this.#time(row, FIELD.sentAt) ?? (envelope < 0 ? undefined : this.#time(envelope, FIELD.sentAt))
      if (sentAt !== undefined && !Number.isNaN(sentAt)) time += receivedAtMs - sentAt
    }
    if (time < receivedAtMs - this.#limits.ageMaxMs || time > receivedAtMs + this.#limits.aheadMaxMs)
      return 'timestamp_out_of_range'
    this.slices.timestampMs = time
    return undefined
  }

  /** Milliseconds since the epoch; undefined when absent, NaN when it is no time. */
  #time(row: number, field: number): number | undefined {
    const start = this.#start(row, field)
    const { bytes } = this.#text
    if (start === 0 || bytes[start] === LOWER_N) return undefined
    if (bytes[start] === QUOTE) return parseTimestamp(bytes, start + 1, this.#end(row, field) - 1)
    return Math.floor(readNumber(bytes, start))
  }

  /** An event without a context takes over its envelope's. */
  #readContext(row: number, { envelope }: RequestContext): RejectionCode | undefined {
    if (!this.#readObject(row, FIELD.context, SLICE.context)) return 'invalid_context'
    if (
      (this.slices.ranges[2 * SLICE.context] as number) >= 0 ||
      envelope < 0 ||
      this.#start(envelope, FIELD.context) === 0
    )
      return undefined
    const marks = this.#table.words[envelope + ROW.marks] as number
    if (marks !== 0) return markCode(marks)
    if (!this.#readObject(envelope, FIELD.context, SLICE.context)) return 'invalid_context'
    const { words } = this.#table
    const own = (words[row + ROW.end] as number) - (words[row + ROW.start] as number)
    const inherited = this.#end(envelope, FIELD.context) - this.#start(envelope, FIELD.context)
    return own + inherited > this.#limits.eventBytesMax ? 'event_too_large' : undefined
  }

  #readObject(row: number, field: number, slice: number): boolean {
    const { ranges } = this.slices
    const start = this.#start(row, field)
    const first = start === 0 ? LOWER_N : this.#text.bytes[start]
    ranges[2 * slice] = first === OPEN_BRACE ? start : -1
    ranges[2 * slice + 1] = first === OPEN_BRACE ? this.#end(row, field) : -1
    return first === OPEN_BRACE || first === LOWER_N
  }

  #readProperties(row: number): RejectionCode | undefined {
    const { type, ranges } = this.slices
    if (type === TYPE_TRACK)
      return this.#readObject(row, FIELD.properties, SLICE.properties) ? undefined : 'invalid_properties'
    const field = TRAIT_TYPES.has(type) && this.#start(row, FIELD.traits) !== 0 ? FIELD.traits : FIELD.properties
    if (!this.#readObject(row, field, SLICE.properties)) return 'invalid_properties'
    const isComplete = this.#addExtras(row, type)
    if (!isComplete) return EVENT_TYPES[type] === 'group' ? 'missing_group_id' : 'missing_previous_id'
    const start = ranges[2 * SLICE.properties] as number
    if (start !== this.#start(row, FIELD.properties)) this.#scanner.scanWatchedAgain(start, row)
    return undefined
  }

  /** Puts the fields that stand beside the properties in front of them, so that a property of the same name wins. False when a needed one is absent. */
  #addExtras(row: number, type: number): boolean {
    const { ranges } = this.slices
    const text = this.#text
    const extras: string[] = []
    for (const name of EXTRA_FIELDS[type] ?? []) {
      const start = this.#start(row, FIELD[name])
      const isPresent = start !== 0 && text.bytes[start] === QUOTE && text.bytes[start + 1] !== QUOTE
      if (isPresent) extras.push(`"${name}":${this.#json(start, this.#end(row, FIELD[name]))}`)
      else if (name === 'groupId' || name === 'previousId') return false
    }
    if (extras.length === 0) return true
    const own = ranges[2 * SLICE.properties] as number
    const rest = own < 0 ? '}' : text.slice(own + 1, ranges[2 * SLICE.properties + 1] as number)
    const isEmpty = rest.trimStart().startsWith('}')
    ranges[2 * SLICE.properties] = text.appendText(`{${extras.join(',')}${isEmpty ? '' : ','}${rest}`)
    ranges[2 * SLICE.properties + 1] = text.used
    this.slices.bytes = text.bytes
    return true
  }

  /** A text in quotes as JSON: what #decodeTexts put there has no escapes, whatever the text needs. */
  #json(start: number, end: number): string {
    const isDecoded = start > this.#text.end
    return isDecoded ? JSON.stringify(this.#text.slice(start + 1, end - 1)) : this.#text.slice(start, end)
  }

  #readName(row: number): RejectionCode | undefined {
    const { slices } = this
    const { ranges, type } = slices
    if (type === TYPE_TRACK) {
      if (!this.#readText(row, FIELD.event, SLICE.event, false)) return 'invalid_event_name'
      if ((ranges[2 * SLICE.event] as number) < 0) return 'missing_event'
    } else {
      ranges[2 * SLICE.event] = this.#text.appendText(`$${EVENT_TYPES[type] as string}`)
      ranges[2 * SLICE.event + 1] = this.#text.used
    }
    const { bytes } = this.#text
    slices.bytes = bytes
    const start = ranges[2 * SLICE.event] as number
    if (type !== TYPE_TRACK || bytes[start] !== DOLLAR) return undefined
    const name = this.#text.slice(start, ranges[2 * SLICE.event + 1] as number)
    if (RESERVED_NAMES.has(name)) return 'reserved_event_name'
    const typed = checkTypedEvent(name, () => this.parsed('properties'))
    if (typed === undefined) return undefined
    slices.flags = FLAG.typed
    if (typed === true) return undefined
    this.detail = typed
    return 'invalid_properties'
  }

  #start(row: number, field: number): number {
    return this.#table.words[row + ROW.fields + 2 * field] as number
  }

  #end(row: number, field: number): number {
    return this.#table.words[row + ROW.fields + 2 * field + 1] as number
  }
}

function markCode(marks: number): RejectionCode {
  if (marks & ROW_MARK.malformed) return 'malformed_json'
  if (marks & ROW_MARK.notObject) return 'invalid_event'
  if (marks & MARK.nul) return 'nul_character'
  return marks & MARK.loneSurrogate ? 'lone_surrogate' : 'number_out_of_range'
}

function isInteger(bytes: Buffer, start: number, end: number): boolean {
  for (let p = bytes[start] === MINUS ? start + 1 : start; p < end; p++) {
    if ((bytes[p] as number) < ZERO || (bytes[p] as number) > NINE) return false
  }
  return true
}
