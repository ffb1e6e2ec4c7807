import { isUtf8 } from 'node:buffer'
import { EVENT_TYPES, type EventType, type RecordBatchBuilder } from '@millrace/contracts'
import type { Producer } from '@millrace/streams'
import { errors } from '../errors.js'
import { decodeString } from '../json/decode-string.js'
import { JsonSyntaxError, locate } from '../json/json-syntax-error.js'
import { RequestText } from '../json/request-text.js'
import { EventAppender, type Segment } from './event-appender.js'
import type { EventCatalog, EventNames } from './event-catalog.js'
import { EventScanner, TooManyEvents } from './event-scanner.js'
import { EventTable, FIELD, ROW, ROW_WORDS } from './event-table.js'
import { type EventLimits, EventValidator, type RequestContext } from './event-validator.js'
import { type Rejection, rejectionReasons } from './rejections.js'

/** How the events lie in a body. */
export type Wire =
  /** An object with a `batch` of events (Segment, RudderStack). */
  | { readonly kind: 'batch' }
  /** One event of the type that the address names. */
  | { readonly kind: 'single'; readonly type: EventType }
  /** An array, one event, an object with a `batch`, or NDJSON. */
  | { readonly kind: 'any'; readonly isLines: boolean }

export interface DeskConfig extends EventLimits {
  /** Events of one request. */
  eventsMax: number
  /** Bytes that events may take over from their envelope in all, so that a small body cannot grow into a large one. */
  inheritedBytesMax: number
}

export interface DeskDeps {
  producer: Producer<RecordBatchBuilder>
  /** The definitions in force; asked once a request. */
  catalog: () => EventCatalog
  now: () => number
  newMessageId: () => string
}

/** What became of one request's events. */
export interface Verdict {
  accepted: number
  rejected: Rejection[]
  segments: Segment[]
  /** Message id of each event in order, null where a refused one has none; only when asked for. */
  messageIds: (string | null)[] | undefined
}

/** What is collected while the events of one request are validated. */
interface Results {
  readonly names: EventNames
  readonly rejected: Rejection[]
  readonly messageIds: (string | null)[] | undefined
}

/**
 * Takes one request's body apart and its events in. Everything happens within one tick: `read`, then `take`; between the two the
 * caller finds out who is asking. One instance serves the process.
 */
export class EventDesk {
  readonly #config: DeskConfig
  readonly #deps: DeskDeps
  readonly #text = new RequestText(1 << 20)
  readonly #table = new EventTable()
  readonly #scanner: EventScanner
  readonly #validator: EventValidator
  readonly #appender: EventAppender
  #catalog: EventCatalog
  #wire: Wire = { kind: 'batch' }
  #firstRow = 0

  constructor(config: DeskConfig, deps: DeskDeps) {
    this.#config = config
    this.#deps = deps
    this.#catalog = deps.catalog()
    this.#scanner = new EventScanner(this.#text, this.#table)
    this.#scanner.eventsMax = config.eventsMax
    const { newMessageId } = deps
    this.#validator = new EventValidator(config, {
      text: this.#text,
      table: this.#table,
      scanner: this.#scanner,
      newMessageId,
    })
    this.#appender = new EventAppender(deps.producer)
  }

  /** Finds the events of a body, and returns how many there are. Throws MALFORMED_BODY, INVALID_UTF8, INVALID_REQUEST or BATCH_TOO_LARGE. */
  read(chunks: readonly Buffer[], totalBytes: number, wire: Wire): number {
    const text = this.#text
    text.load(chunks, totalBytes)
    if (!isUtf8(text.bytes.subarray(0, text.end))) throw errors.INVALID_UTF8()
    this.#catalog = this.#deps.catalog()
    this.#scanner.watched = this.#catalog.watched
    this.#wire = wire
    this.#scanner.begin()
    const start = text.bytes[0] === 0xef && text.bytes[1] === 0xbb && text.bytes[2] === 0xbf ? 3 : 0
    try {
      this.#scan(start)
    } catch (error) {
      if (error instanceof TooManyEvents) {
        throw errors.BATCH_TOO_LARGE({
          message: `a request holds at most ${this.#config.eventsMax} events`,
          cause: error,
        })
      }
      if (!(error instanceof JsonSyntaxError)) throw error
      const { line, column } = locate(text.bytes, error.offset)
      throw errors.MALFORMED_BODY({
        message: `the body is not JSON: ${error.message} at byte ${error.offset} (line ${line}, column ${column})`,
        cause: error,
        details: { offset: error.offset, line, column },
      })
    }
    this.#firstRow = this.#findFirst()
    return this.#table.rows - this.#firstRow
  }

  /** The write key that the body itself names, if any. */
  get writeKey(): string | undefined {
    const { words, rows } = this.#table
    const at = ROW.fields + 2 * FIELD.writeKey
    const start = rows === 0 ? 0 : (words[at] as number)
    return start !== 0 && this.#text.bytes[start] === 0x22
      ? decodeString(this.#text.bytes, start, words[at + 1] as number)
      : undefined
  }

  /**
   * Judges the events that were read and hands the good ones to the stream. Throws what the producer throws when it takes no more; then
   * nothing was acknowledged.
   */
  take(tenantId: number, options: { wantsMessageIds: boolean }): Verdict {
    const wire = this.#wire
    const context: RequestContext = {
      tenantId,
      receivedAtMs: this.#deps.now(),
      envelope: this.#firstRow === 0 ? -1 : 0,
      type: wire.kind === 'single' ? EVENT_TYPES.indexOf(wire.type) : -1,
    }
    const results: Results = {
      names: this.#catalog.names(tenantId),
      rejected: [],
      messageIds: options.wantsMessageIds ? [] : undefined,
    }
    try {
      for (let i = this.#firstRow; i < this.#table.rows; i++) this.#takeRow(i, context, results)
    } catch (error) {
      this.#appender.abandon(tenantId)
      throw error
    }
    const { rejected, messageIds } = results
    const segments = this.#appender.finish(tenantId, rejected.length)
    return { accepted: this.#table.rows - this.#firstRow - rejected.length, rejected, segments, messageIds }
  }

  #takeRow(index: number, context: RequestContext, { names, rejected, messageIds }: Results): void {
    const row = index * ROW_WORDS
    const validator = this.#validator
    const code = validator.validate(row, context)
    if (code === undefined) {
      this.#appender.append(validator, names)
      messageIds?.push(validator.messageId)
      return
    }
    const messageId = validator.messageIdOf(row)
    messageIds?.push(messageId)
    const reason = validator.detail ?? rejectionReasons[code]
    rejected.push({ index: index - this.#firstRow, messageId, code, reason })
  }

  #scan(start: number): void {
    const wire = this.#wire
    if (wire.kind === 'any' && wire.isLines) this.#scanner.scanLines(start, { isStrict: false })
    // Not announced as lines, they must all be JSON: else one wrong brace would make a document into lines.
    else if (wire.kind === 'any' && this.#scanner.isSeveralObjects(start))
      this.#scanner.scanLines(start, { isStrict: true })
    else this.#scanner.scanBody(start)
  }

  #findFirst(): number {
    const { words, rows } = this.#table
    const batchStart = words[ROW.fields + 2 * FIELD.batch] as number
    const hasBatch = batchStart !== 0 && this.#text.bytes[batchStart] === 0x5b
    const isEmptyRow = (words[ROW.end] as number) === 0
    if (this.#wire.kind === 'batch' && !hasBatch)
      throw errors.INVALID_REQUEST({ message: 'the body is an object with a list named batch' })
    if (this.#wire.kind === 'single') {
      this.#table.rows = 1
      if (isEmptyRow) throw errors.INVALID_REQUEST({ message: 'the body is a JSON object' })
      return 0
    }
    if (hasBatch || isEmptyRow) {
      this.#checkInherited(rows - 1)
      return 1
    }
    return 0
  }

  /** A context that stands once in the envelope and is taken over by every event counts as if it had been written out. */
  #checkInherited(events: number): void {
    const { words } = this.#table
    const at = ROW.fields + 2 * FIELD.context
    const contextBytes = (words[at + 1] as number) - (words[at] as number)
    if (contextBytes * events > this.#config.inheritedBytesMax) throw errors.BATCH_TOO_LARGE()
  }
}
