import { errors } from '../errors.js'
import type { RequestText } from '../json/request-text.js'
import type { EventFormat } from './event-format.js'
import type { EventScanner } from './event-scanner.js'
import { type EventTable, FIELD, ROW } from './event-table.js'

/** A request body as JSON, and how to find the events in it. */
export interface EventBody {
  readonly chunks: readonly Buffer[]
  readonly bytes: number
  /** Bytes in front of what the client sent; positions in error messages leave them out. */
  readonly prefixBytes: number
  /** Index in EVENT_TYPES of the type that the path names, or -1 when each event names its own. */
  readonly pathType: number
  readonly locate: LocateEvents
}

/** What a LocateEvents works with. */
export interface BodyReader {
  readonly text: RequestText
  readonly table: EventTable
  readonly scanner: EventScanner
  readonly format: EventFormat
  /** Offset of the first byte after a byte order mark. */
  readonly start: number
  readonly inheritedBytesMax: number
}

/**
 * Scans a body and returns the row of its first event: 1 when row 0 is an envelope, else 0.
 * @throws JsonSyntaxError, TooManyEvents, INVALID_REQUEST or BATCH_TOO_LARGE
 */
export type LocateEvents = (body: BodyReader) => number

/** The body is one event. */
export const locateSingle: LocateEvents = ({ scanner, table, start }) => {
  scanner.scanBody(start)
  table.rows = 1
  if (isEmptyRow(table)) throw errors.INVALID_REQUEST({ message: 'the body must be a JSON object' })
  return 0
}

/** The body is an object with a list of events. */
export const locateEnvelope: LocateEvents = (body) => {
  body.scanner.scanBody(body.start)
  if (!hasList(body)) throw errors.INVALID_REQUEST({ message: 'the body must be an object with a list named batch' })
  checkInherited(body)
  return 1
}

/** The body is a list of events. */
export const locateList: LocateEvents = ({ scanner, table, start }) => {
  scanner.scanBody(start)
  if (!isEmptyRow(table)) throw errors.INVALID_REQUEST({ message: 'the body must be a JSON list of events' })
  return 1
}

/** Each line of the body is one event. A line that is not JSON is rejected alone. */
export const locateLines: LocateEvents = ({ scanner, start }) => {
  scanner.scanLines(start, { isStrict: false })
  return 1
}

/** The body is one event, a list, an object with a list, or lines. */
export const locateAny: LocateEvents = (body) => {
  const { scanner, table, start } = body
  // The client did not announce lines, so all of them must be JSON: otherwise one wrong brace would turn a document into lines.
  if (scanner.isSeveralObjects(start)) scanner.scanLines(start, { isStrict: true })
  else scanner.scanBody(start)
  const isList = isEmptyRow(table)
  if (!isList && !hasList(body)) return 0
  checkInherited(body)
  return 1
}

function isEmptyRow({ words }: EventTable): boolean {
  return (words[ROW.end] as number) === 0
}

function hasList({ table, text, format }: BodyReader): boolean {
  if (format.listField < 0) return false
  const start = table.words[ROW.fields + 2 * format.listField] as number
  return start !== 0 && text.bytes[start] === 0x5b
}

/** A context in the envelope, which every event inherits, counts as if each event had it. */
function checkInherited({ table, inheritedBytesMax }: BodyReader): void {
  const at = ROW.fields + 2 * FIELD.context
  const contextBytes = (table.words[at + 1] as number) - (table.words[at] as number)
  const events = table.rows - 1
  if (contextBytes * events > inheritedBytesMax)
    throw errors.BATCH_TOO_LARGE({
      message: `the context of the batch has ${contextBytes} bytes; for ${events} events together that is more than ${inheritedBytesMax} bytes`,
    })
}
