import { EVENT_TYPES } from '@millrace/contracts'
import type { EventFormat } from '../events/event-format.js'
import { EventRow } from '../events/event-row.js'
import { FIELD, FORMAT_FIELD, ROW, ROW_WORDS } from '../events/event-table.js'
import type { RequestParser } from '../events/request-parser.js'
import { DRAFT_BYTES_MAX, type EventHead } from './rejection-draft.js'

const TEXT_BYTES_MAX = 1024

/** Where a rejected event is in the parser's buffer. */
interface EventPlace {
  /** Row of the event in the parser's table. */
  readonly row: number
  readonly format: EventFormat
  /** Index in EVENT_TYPES of the type that the path names, or -1. */
  readonly pathType: number
  readonly hasEnvelope: boolean
}

/** Copies what is known of a rejected event. One instance serves all requests, one event at a time, within the tick that validates the event. */
export class RejectedEvent {
  readonly #parser: Pick<RequestParser, 'text' | 'table'>
  readonly #event: EventRow
  #place: EventPlace | undefined

  constructor(parser: Pick<RequestParser, 'text' | 'table' | 'scanner'>) {
    this.#parser = parser
    this.#event = new EventRow(parser)
  }

  /** Turns to another event. */
  at(place: EventPlace): this {
    this.#place = place
    this.#event.begin(place.row * ROW_WORDS, place.pathType)
    return this
  }

  /** The first bytes of the event as the client sent it. */
  bytes(): Buffer {
    const { start, end } = this.#event.range
    return Buffer.from(this.#parser.text.bytes.subarray(start, Math.min(end, start + DRAFT_BYTES_MAX)))
  }

  /** Size of the event, in bytes. */
  size(): number {
    const { start, end } = this.#event.range
    return end - start
  }

  head(): EventHead {
    const { format, pathType, hasEnvelope } = this.#place as EventPlace
    const typeField = format.fields.findText('type')
    return {
      messageId: this.#text(FIELD.messageId),
      // In some wires `type` is the name of the event.
      type: EVENT_TYPES[pathType] ?? (typeField >= FORMAT_FIELD ? this.#text(typeField) : null),
      name: this.#text(FIELD.event),
      userId: this.#text(FIELD.userId),
      anonymousId: this.#text(FIELD.anonymousId),
      context: this.#context(this.#event.at) ?? (hasEnvelope ? this.#context(0) : null),
    }
  }

  /** A string, or any other value as JSON text; null when it is absent. */
  #text(field: number): string | null {
    const event = this.#event
    if (event.isAbsent(field)) return null
    const [start, end] = [event.start(field), event.end(field)]
    if (end - start > TEXT_BYTES_MAX) return event.slice(start, start + TEXT_BYTES_MAX)
    return event.text(field) ?? event.json(field)
  }

  #context(at: number): string | null {
    const { words } = this.#parser.table
    const field = at + ROW.fields + 2 * FIELD.context
    const [start, end] = [words[field] as number, words[field + 1] as number]
    return start === 0 || end - start > DRAFT_BYTES_MAX ? null : this.#event.slice(start, end)
  }
}
