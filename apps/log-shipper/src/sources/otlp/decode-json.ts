import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import { createNotes, type DecodeNotes } from '../../fields/decode-notes.js'
import { JsonReader } from '../../fields/json-reader.js'
import { MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import type { LogSink } from '../../records/log-sink.js'
import { fromNanoseconds } from '../../records/parse-time.js'
import { containsReplacement, decodeText } from '../repaired-text.js'
import {
  createFields,
  createOrigin,
  type OtlpOrigin,
  type OtlpScope,
  toLogRecord,
  VALUE_DEPTH_MAX,
} from './otlp-record.js'

/** A level of nesting in an AnyValue is up to four levels of JSON: value, kvlistValue, values, and the item. */
export const JSON_DEPTH_MAX = 4 * (VALUE_DEPTH_MAX + 1) + 8

/**
 * The same for the JSON form of OTLP. Takes what the JSON mapping of protobuf allows (names in either case style, 64-bit numbers as text or
 * number, null for absent), ids in hex or base64, and severities by number or name.
 * @throws DecodeFault when the body is no JSON object of the form of the request; then no verdict was given
 */
export function decodeOtlpJson(body: Buffer, sink: LogSink): void {
  const { text, isRepaired } = decodeText(body)
  const reader = new JsonReader(text, JSON_DEPTH_MAX)
  const request = asObject(reader.read(), 'the request')
  const mayBeRepaired = isRepaired || reader.notes.isRepaired
  const batches = findBatches(request)
  let index = 0
  for (const { records, toOrigin } of batches) {
    let origin: OtlpOrigin | undefined
    const originNotes = createNotes()
    for (const value of records) {
      try {
        origin ??= toOrigin(originNotes)
        sink.add(readRecord(value, origin, { mayBeRepaired, originNotes }))
      } catch (error) {
        const { code, reason } = readFault(error)
        sink.reject(index, code, reason)
      }
      index++
    }
  }
}

interface Batch {
  readonly records: readonly unknown[]
  /** Decodes what the records have in common. A fault in it concerns each of them. */
  readonly toOrigin: (notes: DecodeNotes) => OtlpOrigin
}

function findBatches(request: Members): Batch[] {
  const batches: Batch[] = []
  for (const one of asList(member(request, 'resourceLogs'), 'resourceLogs')) {
    const resourceLogs = asObject(one, 'an item of resourceLogs')
    for (const another of asList(member(resourceLogs, 'scopeLogs'), 'scopeLogs')) {
      const scopeLogs = asObject(another, 'an item of scopeLogs')
      batches.push({
        records: asList(member(scopeLogs, 'logRecords'), 'logRecords'),
        toOrigin: (notes) => readOrigin(resourceLogs, scopeLogs, notes),
      })
    }
  }
  return batches
}

/** What the records of a scope of a resource have in common. @throws DecodeFault */
export function readOrigin(resourceLogs: Members, scopeLogs: Members, notes: DecodeNotes): OtlpOrigin {
  const resource = asObject(member(resourceLogs, 'resource') ?? {}, 'resource')
  const scope = asObject(member(scopeLogs, 'scope') ?? {}, 'scope')
  const parts: OtlpScope = {
    name: asText(member(scope, 'name'), 'scope.name'),
    version: asText(member(scope, 'version'), 'scope.version'),
    attributes: readAttributes(member(scope, 'attributes'), { notes, depth: 0 }),
  }
  return createOrigin(readAttributes(member(resource, 'attributes'), { notes, depth: 0 }), parts, {
    resource: asText(member(resourceLogs, 'schemaUrl'), 'schemaUrl'),
    scope: asText(member(scopeLogs, 'schemaUrl'), 'schemaUrl'),
  })
}

interface RecordContext {
  /** The request contained invalid UTF-8 or half a surrogate pair. */
  readonly mayBeRepaired: boolean
  readonly originNotes: DecodeNotes
}

/** @throws DecodeFault */
export function readRecord(
  value: unknown,
  origin: OtlpOrigin,
  { mayBeRepaired, originNotes }: RecordContext,
): LogRecord {
  const record = asObject(value, 'a log record')
  const notes = { ...originNotes }
  if (
    mayBeRepaired &&
    (containsReplacement(record) || containsReplacement(origin.attributes) || containsReplacement(origin.service))
  )
    notes.isRepaired = true
  const fields = createFields()
  fields.time = readTime(record, 'timeUnixNano')
  fields.observedTime = readTime(record, 'observedTimeUnixNano')
  fields.severityNumber = readSeverityNumber(member(record, 'severityNumber'))
  fields.severityText = asText(member(record, 'severityText'), 'severityText')
  fields.body = readAnyValue(member(record, 'body'), { notes, depth: 0 })
  fields.attributes = readAttributes(member(record, 'attributes'), { notes, depth: 0 })
  fields.traceId = readId(member(record, 'traceId'), 'traceId')
  fields.spanId = readId(member(record, 'spanId'), 'spanId')
  fields.eventName = asText(member(record, 'eventName'), 'eventName')
  fields.traceFlags = readCount(member(record, 'flags'))
  fields.droppedAttributes = readCount(member(record, 'droppedAttributesCount'))
  return toLogRecord(fields, origin, notes)
}

/** A member by its JSON name, or by its name in the .proto file; undefined when it is absent or null. */
function member(object: Members, name: string): unknown {
  return object[name] ?? object[name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] ?? undefined
}

function asObject(value: unknown, what: string): Members {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members
  throw new DecodeFault('invalid_record', `${what} must be an object`)
}

function asList(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value
  throw new DecodeFault('invalid_record', `${what} must be a list`)
}

function asText(value: unknown, what: string): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  throw new DecodeFault('invalid_record', `${what} must be a string`)
}

function readTime(record: Members, name: string) {
  const value = member(record, name)
  if (value === undefined || value === 0 || value === '0' || value === '') return undefined
  const time = fromNanoseconds(scalarText(value))
  if (time === undefined)
    throw new DecodeFault('invalid_record', `${name} must be a whole number of nanoseconds since 1970`)
  return time
}

const SEVERITIES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']

function readSeverityNumber(value: unknown): number {
  const text = scalarText(value)
  if (/^\d{1,3}$/.test(text)) return Number(text)
  const name = /^SEVERITY_NUMBER_([A-Z]+)([234]?)$/.exec(text)
  const family = SEVERITIES.indexOf(name?.[1] ?? '')
  return family < 0 ? 0 : family * 4 + Number(name?.[2] || 1)
}

function readCount(value: unknown): number {
  const text = scalarText(value)
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}

/** A number or a string as text; '' for everything else, which has no text of its own. */
function scalarText(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : ''
}

/** An id as lower-case hex. Old exporters send base64, as the general JSON mapping of protobuf has it: its length is not that of hex. */
function readId(value: unknown, what: string): string {
  const text = asText(value, what)
  if (/^[0-9a-fA-F]*$/.test(text) && text.length !== 24 && text.length !== 12) return text.toLowerCase()
  return Buffer.from(text, 'base64').toString('hex')
}

/** Where a value stands in a record. */
interface Place {
  readonly notes: DecodeNotes
  readonly depth: number
}

function readAttributes(value: unknown, place: Place): Members {
  const adder = new MemberAdder()
  for (const item of asList(value, 'attributes')) {
    const pair = asObject(item, 'an attribute')
    adder.add(asText(member(pair, 'key'), 'the key of an attribute'), readAnyValue(member(pair, 'value'), place))
  }
  if (adder.isRepeated) place.notes.isRepeated = true
  return adder.members
}

function readAnyValue(value: unknown, { notes, depth }: Place): unknown {
  if (value === undefined) return null
  const any = asObject(value, 'a value')
  const text = member(any, 'stringValue')
  if (text !== undefined) return asText(text, 'stringValue')
  const list = member(any, 'arrayValue') ?? member(any, 'kvlistValue')
  if (list === undefined) return readScalar(any)
  if (depth + 1 > VALUE_DEPTH_MAX) {
    notes.isDepthCut = true
    return JSON.stringify(list)
  }
  const values = member(asObject(list, 'a list of values'), 'values')
  const place = { notes, depth: depth + 1 }
  if (member(any, 'arrayValue') === undefined) return readAttributes(values, place)
  return asList(values, 'values').map((item) => readAnyValue(item, place))
}

function readScalar(any: Members): unknown {
  const int = member(any, 'intValue')
  if (int !== undefined) {
    const text = scalarText(int)
    if (!/^-?\d{1,20}$/.test(text)) throw new DecodeFault('invalid_record', 'intValue must be a whole number')
    return Number.isSafeInteger(Number(text)) ? Number(text) : text
  }
  // The reader has turned into text what a double cannot hold; NaN and the infinities are text in the JSON mapping.
  return member(any, 'doubleValue') ?? member(any, 'boolValue') ?? member(any, 'bytesValue') ?? null
}
