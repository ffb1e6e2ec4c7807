import { decodeString } from '../json/decode-string.js'
import { describeValue } from '../json/describe-value.js'
import type { RequestText } from '../json/request-text.js'
import type { EventFormat } from './event-format.js'
import { checkLimits, type EventLimits } from './event-limits.js'
import type { EventRow } from './event-row.js'
import type { EventScanner, Measure } from './event-scanner.js'
import { type EventTable, FIELD, ROW } from './event-table.js'
import { MergeBase } from './merge-base.js'
import { codeOfFlags, type RejectionCode } from './rejections.js'

/** A field of the envelope that events without it inherit. */
interface Default {
  readonly field: number
  readonly start: number
  readonly end: number
  readonly flags: number
}

/** An event inherits all defaults of a group, or none if it has one of the fields. */
interface DefaultGroup {
  readonly fields: readonly number[]
  readonly defaults: readonly Default[]
}

/** The context of the envelope. */
interface EnvelopeContext extends Measure {
  readonly start: number
  readonly end: number
  readonly isObject: boolean
}

const [QUOTE, OPEN_BRACKET, BACKSLASH, OPEN_BRACE, LOWER_N] = [0x22, 0x5b, 0x5c, 0x7b, 0x6e]

/**
 * Gives the fields of a request's envelope to its events. The context of the envelope and that of the event are merged, members of members
 * included, and the event wins: its lists, texts, numbers and nulls replace those of the envelope. Every other field is a default for events
 * in which it is absent, null or an empty string.
 */
export class Envelope {
  readonly #limits: EventLimits
  readonly #text: RequestText
  readonly #table: EventTable
  readonly #scanner: EventScanner
  /** The groups of which the envelope has a field. */
  #groups: DefaultGroup[] = []
  #context: EnvelopeContext | undefined
  /** The context, once an event has a context of its own. */
  #base: MergeBase | undefined

  constructor(limits: EventLimits, deps: { text: RequestText; table: EventTable; scanner: EventScanner }) {
    this.#limits = limits
    this.#text = deps.text
    this.#table = deps.table
    this.#scanner = deps.scanner
  }

  /** Turns to the envelope in the row whose first word is `at`; -1 when the request has none. */
  begin(at: number, { inherited }: EventFormat): void {
    this.#groups = []
    this.#context = undefined
    this.#base = undefined
    if (at < 0 || (this.#table.words[at + ROW.end] as number) === 0) return
    for (const fields of inherited) {
      const defaults = fields.flatMap((field) => this.#readDefault(at, field))
      if (defaults.length > 0) this.#groups.push({ fields, defaults })
    }
    this.#context = this.#readContext(at)
  }

  /** Gives an event what it inherits. Returns the code of a rejection when it cannot be stored or is over a limit then. */
  apply(event: EventRow): RejectionCode | undefined {
    for (let i = 0; i < this.#groups.length; i++) {
      const code = applyDefaults(event, this.#groups[i] as DefaultGroup)
      if (code !== undefined) return code
    }
    const context = this.#context
    return context === undefined ? undefined : this.#applyContext(event, context)
  }

  #readDefault(at: number, field: number): Default[] {
    const { words } = this.#table
    const start = words[at + ROW.fields + 2 * field] as number
    const end = words[at + ROW.fields + 2 * field + 1] as number
    const { bytes } = this.#text
    if (start === 0 || bytes[start] === LOWER_N || (bytes[start] === QUOTE && end === start + 2)) return []
    const { flags } = this.#scanner.measure(start)
    if (bytes[start] !== QUOTE || !bytes.subarray(start, end).includes(BACKSLASH)) return [{ field, start, end, flags }]
    // As EventRow.setText: in quotes but without escapes.
    const decoded = this.#text.appendText(`"${decodeString(bytes, start, end)}"`)
    return [{ field, start: decoded, end: this.#text.used, flags }]
  }

  #readContext(at: number): EnvelopeContext | undefined {
    const { words } = this.#table
    const start = words[at + ROW.fields + 2 * FIELD.context] as number
    const first = start === 0 ? LOWER_N : this.#text.bytes[start]
    // An empty list stands for an empty object, see EventFormat.objectFields.
    if (first === LOWER_N || (first === OPEN_BRACKET && this.#scanner.isEmptyList(start))) return undefined
    const end = words[at + ROW.fields + 2 * FIELD.context + 1] as number
    const isObject = first === OPEN_BRACE
    const measure = this.#scanner.measure(start)
    return { start, end, isObject, ...measure }
  }

  #applyContext(event: EventRow, context: EnvelopeContext): RejectionCode | undefined {
    if (!context.isObject) {
      event.detail = `context of the batch must be an object, not ${describeValue(event.bytes, context.start)}`
      return 'invalid_context'
    }
    if (context.flags !== 0) return codeOfFlags(context.flags)
    const { start, end, depth, members } = context
    const code = checkLimits(event, { bytes: end - start, depth, keys: members }, this.#limits)
    if (code !== undefined) return code
    const own = event.start(FIELD.context)
    const first = own === 0 ? LOWER_N : event.bytes[own]
    if (first === OPEN_BRACE && !this.#scanner.isEmptyObject(own)) return this.#merge(event, context)
    // A context that is not an object is rejected later, with its own reason.
    if (first !== LOWER_N && first !== OPEN_BRACE) return undefined
    event.setRange(FIELD.context, start, end)
    return this.#checkLimits(event, end - start, members + (own === 0 ? 1 : 0))
  }

  #merge(event: EventRow, context: EnvelopeContext): RejectionCode | undefined {
    if (context.members === 0) return undefined
    this.#base ??= new MergeBase(context.start, { text: this.#text, scanner: this.#scanner })
    const [own, ownEnd] = [event.start(FIELD.context), event.end(FIELD.context)]
    const start = this.#text.used
    const addedMembers = this.#base.append(own, ownEnd)
    event.setRange(FIELD.context, start, this.#text.used)
    return this.#checkLimits(event, this.#text.used - start - (ownEnd - own), addedMembers)
  }

  #checkLimits(event: EventRow, addedBytes: number, addedMembers: number): RejectionCode | undefined {
    const { start, end } = event.range
    const members = this.#table.words[event.at + ROW.members] as number
    const size = { bytes: end - start + addedBytes, depth: 0, keys: members + addedMembers }
    const code = checkLimits(event, size, this.#limits)
    if (code !== undefined) event.detail = `with the context of its batch ${event.detail}`
    return code
  }
}

function applyDefaults(event: EventRow, { fields, defaults }: DefaultGroup): RejectionCode | undefined {
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as number
    if (event.start(field) !== 0 && !event.isUnset(field)) return undefined
  }
  for (let i = 0; i < defaults.length; i++) {
    const { field, start, end, flags } = defaults[i] as Default
    if (flags !== 0) return codeOfFlags(flags)
    event.setRange(field, start, end)
  }
  return undefined
}
