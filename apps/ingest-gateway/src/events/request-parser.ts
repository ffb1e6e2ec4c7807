import { isUtf8 } from 'node:buffer'
import { errors } from '../errors.js'
import { decodeString } from '../json/decode-string.js'
import { JsonSyntaxError, locate } from '../json/json-syntax-error.js'
import { RequestText } from '../json/request-text.js'
import type { BodyReader, EventBody } from './event-body.js'
import type { EventCatalog } from './event-catalog.js'
import type { EventFormat } from './event-format.js'
import { EventScanner, TooManyEvents } from './event-scanner.js'
import { EventTable, ROW } from './event-table.js'

export interface ParserConfig {
  /** Most events in one request. */
  eventsMax: number
  /** Most bytes that all events together may inherit from their envelope, so that a small body cannot grow into a large one. */
  inheritedBytesMax: number
}

/** What is known of a request once its body was scanned. Stands for the parser's buffer, which the next request overwrites. */
export interface ParsedRequest {
  /** The parser's generation at which the buffer held this request. */
  readonly generation: number
  /** Number of events. */
  readonly count: number
  /** The write key that the body names, if its wire has a field for it. */
  readonly writeKey: string | undefined
}

/** The request whose events are about to be accepted. */
export interface ClaimedRequest {
  readonly format: EventFormat
  readonly catalog: EventCatalog
  /** Row of the first event. Row 0 is the envelope when this is 1. */
  readonly firstRow: number
  /** Index in EVENT_TYPES of the type that the path names, or -1. */
  readonly pathType: number
}

/**
 * Finds the events of a body. One instance, with one buffer, serves the whole process: a ParsedRequest is valid only until the next `parse`,
 * and can be claimed once. Whoever waits between the two asks `isCurrent` afterwards and parses again if it must.
 */
export class RequestParser {
  readonly text = new RequestText(1 << 20)
  readonly table = new EventTable()
  readonly scanner: EventScanner
  readonly #config: ParserConfig
  readonly #currentCatalog: () => EventCatalog
  #generation = 0
  #claim: ClaimedRequest | undefined

  /** `catalog` returns the current event catalog; it is called once for each request. */
  constructor(config: ParserConfig, { catalog }: { catalog: () => EventCatalog }) {
    this.#config = config
    this.#currentCatalog = catalog
    this.scanner = new EventScanner(this.text, this.table)
    this.scanner.eventsMax = config.eventsMax
  }

  /**
   * Scans a body and returns what it holds. Earlier parsed requests become stale, also when it throws.
   * @throws MALFORMED_BODY, INVALID_UTF8, INVALID_REQUEST or BATCH_TOO_LARGE
   */
  parse(body: EventBody, format: EventFormat): ParsedRequest {
    const generation = ++this.#generation
    this.#claim = undefined
    const { text, table, scanner } = this
    text.load(body.chunks, body.bytes)
    if (!isUtf8(text.bytes.subarray(0, text.end))) throw errors.INVALID_UTF8()
    const catalog = this.#currentCatalog()
    scanner.begin(format, catalog.watched)
    const firstRow = this.#locate(body, format)
    this.#claim = { format, catalog, firstRow, pathType: body.pathType }
    return { generation, count: table.rows - firstRow, writeKey: this.#readKey(format.keyField) }
  }

  /** Whether the buffer still holds this request. */
  isCurrent(parsed: ParsedRequest): boolean {
    return parsed.generation === this.#generation && this.#claim !== undefined
  }

  /**
   * Hands out the events of a parsed request, once.
   * @throws INTERNAL when the buffer holds another request by now: accepting it would store one tenant's events for another
   */
  claim(parsed: ParsedRequest): ClaimedRequest {
    const claim = this.#claim
    if (claim === undefined || parsed.generation !== this.#generation)
      throw errors.INTERNAL({ message: 'a parsed request was used after its buffer was taken for another one' })
    this.#claim = undefined
    return claim
  }

  #locate(body: EventBody, format: EventFormat): number {
    const { text, table, scanner } = this
    const hasByteOrderMark = text.bytes[0] === 0xef && text.bytes[1] === 0xbb && text.bytes[2] === 0xbf
    const { inheritedBytesMax } = this.#config
    const reader: BodyReader = { text, table, scanner, format, start: hasByteOrderMark ? 3 : 0, inheritedBytesMax }
    try {
      return body.locate(reader)
    } catch (error) {
      if (error instanceof TooManyEvents) {
        const message = `a request can have at most ${this.#config.eventsMax} events (EVENTS_PER_REQUEST_MAX), and this one has more`
        throw errors.BATCH_TOO_LARGE({ message, cause: error })
      }
      throw error instanceof JsonSyntaxError ? this.#malformed(error, body.prefixBytes) : error
    }
  }

  #malformed(cause: JsonSyntaxError, prefixBytes: number): Error {
    const offset = cause.offset - prefixBytes
    const { line, column } = locate(this.text.bytes.subarray(prefixBytes), offset)
    return errors.MALFORMED_BODY({
      message: `the body is not JSON: ${cause.message} at byte ${offset} (line ${line}, column ${column})`,
      cause,
      details: { offset, line, column },
    })
  }

  #readKey(field: number): string | undefined {
    const { words, rows } = this.table
    if (field < 0 || rows === 0) return undefined
    const at = ROW.fields + 2 * field
    const start = words[at] as number
    if (start === 0 || this.text.bytes[start] !== 0x22) return undefined
    return decodeString(this.text.bytes, start, words[at + 1] as number)
  }
}
