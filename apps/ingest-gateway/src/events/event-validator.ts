import { EVENT_TYPES, FLAG, type Hash64, hashBytes, RecordSlices, SLICE } from '@millrace/contracts'
import type { EventFields } from '@millrace/rollups'
import type { RequestText } from '../json/request-text.js'
import { ContextAdditions } from './context-additions.js'
import { Envelope } from './envelope.js'
import type { EventFormat } from './event-format.js'
import { checkLimits, type EventLimits } from './event-limits.js'
import { A_TEXT, EventRow, KIND, TEXT_BYTES_MAX } from './event-row.js'
import type { EventScanner } from './event-scanner.js'
import { type EventTable, FIELD, ROW } from './event-table.js'
import { EventTime, type TimeLimits } from './event-time.js'
import { codeOfFlags, type RejectionCode } from './rejections.js'
import { checkTypedEvent } from './typed-events.js'

export interface ValidatorLimits extends EventLimits, TimeLimits {
  /** Whether `context.ip` is stored without the part that tells the hosts of one network apart. */
  truncatesIp: boolean
}

/** What all events of a request have in common. */
export interface RequestContext {
  readonly tenantId: number
  readonly format: EventFormat
  readonly receivedAtMs: number
  /** First word of the envelope's row, or -1 when there is no envelope. */
  readonly envelope: number
  /** Index in EVENT_TYPES of the type that the path names, or -1 when each event names its own. */
  readonly pathType: number
  /** What the request says about the device of the user, for events whose context does not. */
  readonly client: { readonly ip: string | undefined; readonly userAgent: string | undefined } | undefined
}

const [QUOTE, DOLLAR, OPEN_BRACE, LOWER_N] = [0x22, 0x24, 0x7b, 0x6e]
const TYPE_TRACK = EVENT_TYPES.indexOf('track')

/**
 * Decides whether one scanned event is valid, and makes it a record. One instance serves all requests, one event at a time: after a
 * `validate` that returned undefined, `slices` and `user` describe the record until the next call.
 */
export class EventValidator implements EventFields {
  readonly slices = new RecordSlices()
  readonly user: Hash64 = { lo: 0, hi: 0 }
  readonly #message: Hash64 = { lo: 0, hi: 0 }
  readonly #event: EventRow
  readonly #envelope: Envelope
  readonly #time: EventTime
  readonly #additions: ContextAdditions
  readonly #limits: ValidatorLimits
  readonly #text: RequestText
  readonly #table: EventTable
  readonly #newMessageId: () => string

  constructor(
    limits: ValidatorLimits,
    deps: { text: RequestText; table: EventTable; scanner: EventScanner; newMessageId: () => string },
  ) {
    this.#limits = limits
    this.#text = deps.text
    this.#table = deps.table
    this.#event = new EventRow(deps)
    this.#envelope = new Envelope(limits, deps)
    this.#time = new EventTime(limits)
    this.#additions = new ContextAdditions(limits, deps)
    this.#newMessageId = deps.newMessageId
  }

  /** Turns to the events of another request. */
  begin(context: RequestContext): void {
    this.#event.fieldNames = context.format.fieldNames
    this.#envelope.begin(context.envelope, context.format)
    this.#time.begin(context.receivedAtMs)
    this.slices.tenantId = context.tenantId
    this.slices.receivedAtMs = context.receivedAtMs
  }

  /** The code that the event in row `row` is rejected with, or undefined when it is valid. `context` is that of the last `begin`. */
  validate(row: number, context: RequestContext): RejectionCode | undefined {
    const event = this.#event
    event.begin(row, context.pathType)
    this.slices.flags = 0
    return (
      this.#checkShape(row, context.format) ??
      this.#envelope.apply(event) ??
      context.format.normalise(event) ??
      this.#readIds(context.tenantId) ??
      this.#readTime() ??
      this.#addContext(context) ??
      this.#readContext() ??
      this.#readProperties() ??
      this.#readName(context.format)
    )
  }

  /** What is wrong with the rejected event, where that says more than its code. */
  get detail(): string | undefined {
    return this.#event.detail
  }

  /** The message id of the rejected event, or null when it has none that can be read. */
  get rejectedMessageId(): string | null {
    const event = this.#event
    if (event.end(FIELD.messageId) - event.start(FIELD.messageId) > TEXT_BYTES_MAX + 2) return null
    return event.text(FIELD.messageId) ?? null
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
    return this.#table.words[this.#event.at + ROW.watched + slot] as number
  }

  parsed(root: string): unknown {
    const slice = root === 'context' ? SLICE.context : SLICE.properties
    const start = this.slices.ranges[2 * slice] as number
    return start < 0 ? undefined : JSON.parse(this.#text.slice(start, this.slices.ranges[2 * slice + 1] as number))
  }

  #checkShape(row: number, format: EventFormat): RejectionCode | undefined {
    const { words } = this.#table
    const flags = words[row + ROW.flags] as number
    if (flags !== 0) return codeOfFlags(flags)
    const bytes = (words[row + ROW.end] as number) - (words[row + ROW.start] as number)
    const depth = words[row + ROW.depth] as number
    const keys = words[row + ROW.members] as number
    const { eventBytesMax, depthMax, keysMax } = this.#limits
    // Compared here, so that an event within its limits costs no call.
    if (bytes > eventBytesMax || depth > depthMax || keys > keysMax)
      return checkLimits(this.#event, { bytes, depth, keys }, this.#limits)
    if ((words[row + ROW.escapes] as number) > 0) this.#event.decodeTexts(format.textFields)
    this.#event.replaceEmptyLists(format.objectFields)
    return undefined
  }

  #readIds(tenantId: number): RejectionCode | undefined {
    const { ranges } = this.slices
    if (!this.#readText(FIELD.messageId, SLICE.messageId)) return 'invalid_message_id'
    if (!this.#readText(FIELD.userId, SLICE.userId)) return 'invalid_user_id'
    if (!this.#readText(FIELD.anonymousId, SLICE.anonymousId)) return 'invalid_anonymous_id'
    const user = (ranges[2 * SLICE.userId] as number) >= 0 ? SLICE.userId : SLICE.anonymousId
    if ((ranges[2 * user] as number) < 0) return 'missing_user'
    if ((ranges[2 * SLICE.messageId] as number) < 0) {
      ranges[2 * SLICE.messageId] = this.#text.appendText(this.#newMessageId())
      ranges[2 * SLICE.messageId + 1] = this.#text.used
    }
    const { slices } = this
    const { bytes } = this.#text
    hashBytes(bytes, ranges[2 * user] as number, ranges[2 * user + 1] as number, tenantId, this.user)
    slices.userHashLo = this.user.lo
    slices.userHashHi = this.user.hi
    const [start, end] = [ranges[2 * SLICE.messageId] as number, ranges[2 * SLICE.messageId + 1] as number]
    hashBytes(bytes, start, end, tenantId, this.#message)
    slices.messageHashLo = this.#message.lo
    slices.messageHashHi = this.#message.hi
    return undefined
  }

  /** Notes the range of a text, -1 when it has no value; false when it is another value or too long. */
  #readText(field: number, slice: number): boolean {
    const { ranges } = this.slices
    const { words } = this.#table
    const { bytes } = this.#text
    const at = this.#event.at + ROW.fields + 2 * field
    const start = words[at] as number
    ranges[2 * slice] = ranges[2 * slice + 1] = -1
    if (start === 0) return true
    // Almost every value is a string that does not begin with space, so this does what #readOther does at less cost.
    const length = (words[at + 1] as number) - start - 2
    if (bytes[start] !== QUOTE || length > TEXT_BYTES_MAX || (bytes[start + 1] as number) <= QUOTE)
      return this.#readOther(field, slice)
    ranges[2 * slice] = start + 1
    ranges[2 * slice + 1] = start + 1 + length
    return true
  }

  #readOther(field: number, slice: number): boolean {
    const { ranges } = this.slices
    const event = this.#event
    const kind = event.kind(field)
    if (kind === KIND.none) return true
    if (kind === KIND.other) {
      event.explain(field, A_TEXT)
      return false
    }
    if (event.isTooLong(field)) return false
    const quote = kind === KIND.text ? 1 : 0
    ranges[2 * slice] = event.start(field) + quote
    ranges[2 * slice + 1] = event.end(field) - quote
    return true
  }

  #readTime(): RejectionCode | undefined {
    const time = this.#time
    const code = time.read(this.#event)
    if (code !== undefined) return code
    this.slices.timestampMs = time.timestampMs
    return undefined
  }

  /** Adds to the context what the gateway knows: the original time of a corrected event, and the device if a browser sent it. */
  #addContext({ client }: RequestContext): undefined {
    const { originalMs } = this.#time
    const isCorrected = !Number.isNaN(originalMs)
    if (!isCorrected && client === undefined && !this.#limits.truncatesIp) return
    this.#additions.add(this.#event, {
      originalTimestamp: isCorrected ? new Date(originalMs).toISOString() : undefined,
      ip: client?.ip,
      userAgent: client?.userAgent,
    })
  }

  #readContext(): RejectionCode | undefined {
    return this.#readObject(FIELD.context, SLICE.context) ? undefined : 'invalid_context'
  }

  #readProperties(): RejectionCode | undefined {
    return this.#readObject(FIELD.properties, SLICE.properties) ? undefined : 'invalid_properties'
  }

  /** Notes the range of an object, -1 when it is absent or null; false when it is another value. */
  #readObject(field: number, slice: number): boolean {
    const event = this.#event
    const { ranges } = this.slices
    const start = event.start(field)
    const first = start === 0 ? LOWER_N : this.#text.bytes[start]
    ranges[2 * slice] = first === OPEN_BRACE ? start : -1
    ranges[2 * slice + 1] = first === OPEN_BRACE ? event.end(field) : -1
    if (first === OPEN_BRACE || first === LOWER_N) return true
    event.explain(field, 'an object')
    return false
  }

  #readName({ reservedNames }: EventFormat): RejectionCode | undefined {
    const { slices } = this
    const { ranges } = slices
    const { type } = this.#event
    if (!this.#readText(FIELD.event, SLICE.event)) return 'invalid_event_name'
    const start = ranges[2 * SLICE.event] as number
    if (start < 0) return 'missing_event'
    slices.type = type
    // The text may have moved to a larger buffer while parts of the event were appended to it.
    slices.bytes = this.#text.bytes
    if (type !== TYPE_TRACK || slices.bytes[start] !== DOLLAR) return undefined
    const name = this.#text.slice(start, ranges[2 * SLICE.event + 1] as number)
    if (reservedNames.has(name)) return 'reserved_event_name'
    const typed = checkTypedEvent(name, () => this.parsed('properties'))
    if (typed === undefined) return undefined
    slices.flags = FLAG.typed
    if (typed === true) return undefined
    this.#event.detail = typed
    return 'invalid_properties'
  }
}
