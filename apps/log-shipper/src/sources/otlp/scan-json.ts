import { isUtf8 } from 'node:buffer'
import { readFault } from '../../fields/decode-fault.js'
import { createNotes, type DecodeNotes } from '../../fields/decode-notes.js'
import { JsonReader } from '../../fields/json-reader.js'
import type { LogSink } from '../../records/log-sink.js'
import type { ScannedSink } from '../../records/scanned-line.js'
import { objectEnd, standsAt } from '../scan-bytes.js'
import { JSON_DEPTH_MAX, readOrigin, readRecord } from './decode-json.js'
import type { OtlpOrigin } from './otlp-record.js'
import { scanJsonRecord } from './scan-json-record.js'

const REQUEST = Buffer.from('{"resourceLogs":[')
const RESOURCE = Buffer.from('"resource":{')
const SCOPE_LOGS = Buffer.from('"scopeLogs":[')
const SCOPE = Buffer.from('"scope":{')
const RECORDS = Buffer.from('"logRecords":[')
const NO_SCHEMA = Buffer.from(',"schemaUrl":""')
const OPEN = 0x7b
const CLOSE = 0x7d
const CLOSE_LIST = 0x5d
const COMMA = 0x2c

/** Levels of JSON around a resource, a scope and a record: the exact decoder counts them when it reads the whole request. */
const RESOURCE_LEVELS = 3
const SCOPE_LEVELS = 5
const RECORD_LEVELS = 6

/**
 * Reads a request in OTLP's JSON without making objects of it: the quick way for what exporters send. A record that needs more than copying is decoded
 * exactly, alone. When the request itself has another form than usual, nothing of it was taken, the result is false, and the exact decoder has to read it.
 * Where the result is true, it is the same as that of `decodeOtlpJson`.
 */
export function scanOtlpJson(body: Buffer, sink: LogSink): boolean {
  const { scanned } = sink
  if (scanned === undefined || !isUtf8(body)) return false
  if (new RequestScanner(body, sink, scanned).scan()) return true
  scanned.reset()
  return false
}

class RequestScanner {
  readonly #body: Buffer
  readonly #sink: LogSink
  readonly #lines: ScannedSink
  /** Records so far. */
  #index = 0

  constructor(body: Buffer, sink: LogSink, lines: ScannedSink) {
    this.#body = body
    this.#sink = sink
    this.#lines = lines
  }

  /** False when the request has another form than usual. */
  scan(): boolean {
    const body = this.#body
    if (!standsAt(body, 0, REQUEST)) return false
    let at = this.#list(REQUEST.length, (from) => this.#resourceLogs(from))
    if (at < 0 || body[at++] !== CLOSE) return false
    while (body[at] === 0x0a || body[at] === 0x0d || body[at] === 0x20) at++
    return at === body.length
  }

  /** Goes through a list whose first bracket is before `from`. Returns the place behind its last one. */
  #list(from: number, item: (at: number) => number): number {
    const body = this.#body
    if (body[from] === CLOSE_LIST) return from + 1
    for (let at = from; ; at++) {
      at = item(at)
      if (at < 0) return -1
      if (body[at] === CLOSE_LIST) return at + 1
      if (body[at] !== COMMA) return -1
    }
  }

  #resourceLogs(from: number): number {
    const body = this.#body
    let at = from + 1
    if (body[from] !== OPEN) return -1
    const resource = this.#part(at, { name: RESOURCE, levels: RESOURCE_LEVELS })
    if (resource === undefined) return -1
    at = resource.end
    if (!standsAt(body, at, SCOPE_LOGS)) return -1
    at = this.#list(at + SCOPE_LOGS.length, (start) => this.#scopeLogs(start, resource.value))
    return this.#endOfObject(at)
  }

  #scopeLogs(from: number, resource: unknown): number {
    const body = this.#body
    if (body[from] !== OPEN) return -1
    const scope = this.#part(from + 1, { name: SCOPE, levels: SCOPE_LEVELS })
    if (scope === undefined || !standsAt(body, scope.end, RECORDS)) return -1
    const notes = createNotes()
    const origin = tryOrigin(resource, scope.value, notes)
    if (origin === undefined) return -1
    const isScanned = this.#lines.begin(origin)
    const context = { origin, originNotes: notes }
    const isUnchanged = !notes.isRepaired && !notes.isDepthCut && !notes.isRepeated
    const at = this.#list(scope.end + RECORDS.length, (start) => this.#record(start, isScanned && isUnchanged, context))
    return this.#endOfObject(at)
  }

  #endOfObject(from: number): number {
    if (from < 0) return -1
    const at = standsAt(this.#body, from, NO_SCHEMA) ? from + NO_SCHEMA.length : from
    return this.#body[at] === CLOSE ? at + 1 : -1
  }

  /** The resource or the scope, if it stands here, with the comma behind it; decoded exactly, since one of them has many records. */
  #part(from: number, { name, levels }: { name: Buffer; levels: number }): { value: unknown; end: number } | undefined {
    const body = this.#body
    if (!standsAt(body, from, name)) return { value: undefined, end: from }
    const start = from + name.length - 1
    const end = objectEnd(body, start)
    if (end < 0 || body[end] !== COMMA) return undefined
    const value = this.#read(start, end, levels)
    return value === undefined ? undefined : { value, end: end + 1 }
  }

  #record(from: number, isScanned: boolean, { origin, originNotes }: OriginContext): number {
    const body = this.#body
    if (body[from] !== OPEN) return -1
    const scannedTo = isScanned ? scanJsonRecord(body, from, this.#lines) : -1
    if (scannedTo > 0) {
      this.#index++
      return scannedTo
    }
    const end = objectEnd(body, from)
    if (end < 0) return -1
    const value = this.#read(from, end, RECORD_LEVELS)
    if (value === undefined) return -1
    try {
      this.#sink.add(readRecord(value, origin, { mayBeRepaired: false, originNotes }))
    } catch (error) {
      const { code, reason } = readFault(error)
      this.#sink.reject(this.#index, code, reason)
    }
    this.#index++
    return end
  }

  /** Decodes a part of the request exactly; undefined when the whole request has to be. */
  #read(start: number, end: number, levels: number): unknown {
    const reader = new JsonReader(this.#body.toString('utf8', start, end), JSON_DEPTH_MAX - levels)
    try {
      const value = reader.read()
      // Half of a surrogate pair somewhere has a meaning for all records.
      return reader.notes.isRepaired ? undefined : value
    } catch (error) {
      readFault(error)
      return undefined
    }
  }
}

interface OriginContext {
  readonly origin: OtlpOrigin
  readonly originNotes: DecodeNotes
}

/** Undefined when it cannot be decoded, which rejects each of its records. */
function tryOrigin(resource: unknown, scope: unknown, notes: DecodeNotes): OtlpOrigin | undefined {
  try {
    return readOrigin({ resource }, { scope }, notes)
  } catch (error) {
    readFault(error)
    return undefined
  }
}
