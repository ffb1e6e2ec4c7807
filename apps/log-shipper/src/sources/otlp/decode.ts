import { readFault } from '../../fields/decode-fault.js'
import { createNotes, type DecodeNotes } from '../../fields/decode-notes.js'
import { MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogSink } from '../../records/log-sink.js'
import type { ScannedSink } from '../../records/scanned-line.js'
import { type ByteRange, ProtobufReader, WIRE } from '../protobuf-reader.js'
import { timeOfHalves } from '../time-of-halves.js'
import {
  createFields,
  createOrigin,
  type OtlpFields,
  type OtlpOrigin,
  type OtlpScope,
  toLogRecord,
  VALUE_DEPTH_MAX,
} from './otlp-record.js'
import { scanRecord } from './scan.js'

// Field numbers of opentelemetry/proto/collector/logs/v1, logs/v1, resource/v1 and common/v1.
const REQUEST = { resourceLogs: 1 }
const RESOURCE_LOGS = { resource: 1, scopeLogs: 2, schemaUrl: 3 }
const RESOURCE = { attributes: 1 }
const SCOPE_LOGS = { scope: 1, logRecords: 2, schemaUrl: 3 }
const SCOPE = { name: 1, version: 2, attributes: 3 }
const RECORD = {
  time: 1,
  severityNumber: 2,
  severityText: 3,
  body: 5,
  attributes: 6,
  droppedAttributes: 7,
  flags: 8,
  traceId: 9,
  spanId: 10,
  observedTime: 11,
  eventName: 12,
}
const KEY_VALUE = { key: 1, value: 2 }
const ANY = { string: 1, bool: 2, int: 3, double: 4, array: 5, list: 6, bytes: 7 }
const LIST = { values: 1 }

/**
 * Gives every record of an ExportLogsServiceRequest in protobuf a verdict, in the order of the request. Fields may come in any order, and
 * unknown fields are skipped.
 * @throws DecodeFault when the messages around the records are broken, so that the records cannot be told apart; then no verdict was given
 */
export function decodeOtlp(body: Buffer, sink: LogSink): void {
  const batches = findBatches(body)
  let index = 0
  for (const { records, origin, notes } of batches) {
    const scanned = scannedOf(sink, origin, notes)
    for (const range of records) {
      if (scanned !== undefined && scanRecord(body, range, scanned)) {
        index++
        continue
      }
      try {
        sink.add(readRecord(new ProtobufReader(body, { ...notes }, range), origin))
      } catch (error) {
        const { code, reason } = readFault(error)
        sink.reject(index, code, reason)
      }
      index++
    }
  }
}

/** The quick way for records that need no object; undefined when all records of the origin have to be decoded exactly. */
function scannedOf({ scanned }: LogSink, origin: OtlpOrigin, notes: DecodeNotes): ScannedSink | undefined {
  if (scanned === undefined || notes.isRepaired || notes.isDepthCut || notes.isRepeated) return undefined
  return scanned.begin(origin) ? scanned : undefined
}

/** The records of one scope of one resource. */
interface Batch {
  readonly records: ByteRange[]
  readonly origin: OtlpOrigin
  /** What happened while the origin was decoded: it holds for each of the records. */
  readonly notes: DecodeNotes
}

/** Goes through everything but the records, so that broken messages are found before the first verdict. */
function findBatches(body: Buffer): Batch[] {
  const batches: Batch[] = []
  const request = new ProtobufReader(body, createNotes())
  while (request.next()) {
    if (request.field === REQUEST.resourceLogs && request.wire === WIRE.bytes)
      findInResource(new ProtobufReader(body, createNotes(), request.range()), batches)
    else request.skip()
  }
  return batches
}

function findInResource(reader: ProtobufReader, batches: Batch[]): void {
  const resource = new MemberAdder()
  const scopes: ByteRange[] = []
  let schemaUrl = ''
  while (reader.next()) {
    if (reader.wire !== WIRE.bytes) reader.skip()
    else if (reader.field === RESOURCE_LOGS.resource) readResource(reader.message(), resource)
    else if (reader.field === RESOURCE_LOGS.scopeLogs) scopes.push(reader.range())
    else if (reader.field === RESOURCE_LOGS.schemaUrl) schemaUrl = reader.string()
    else reader.skip()
  }
  for (const range of scopes) {
    const notes = { ...reader.notes }
    batches.push(readScope(new ProtobufReader(reader.bytes, notes, range), resource.members, schemaUrl))
  }
}

function readResource(reader: ProtobufReader, resource: MemberAdder): void {
  while (reader.next()) {
    if (reader.field === RESOURCE.attributes && reader.wire === WIRE.bytes) readKeyValue(reader.message(), resource, 0)
    else reader.skip()
  }
}

function readScope(reader: ProtobufReader, resource: Members, resourceSchemaUrl: string): Batch {
  const records: ByteRange[] = []
  const attributes = new MemberAdder()
  const scope: OtlpScope = { name: '', version: '', attributes: attributes.members }
  let schemaUrl = ''
  while (reader.next()) {
    if (reader.wire !== WIRE.bytes) reader.skip()
    else if (reader.field === SCOPE_LOGS.logRecords) records.push(reader.range())
    else if (reader.field === SCOPE_LOGS.scope) readScopeFields(reader.message(), scope, attributes)
    else if (reader.field === SCOPE_LOGS.schemaUrl) schemaUrl = reader.string()
    else reader.skip()
  }
  const origin = createOrigin(resource, scope, { resource: resourceSchemaUrl, scope: schemaUrl })
  return { records, origin, notes: reader.notes }
}

function readScopeFields(reader: ProtobufReader, scope: OtlpScope, attributes: MemberAdder): void {
  while (reader.next()) {
    if (reader.wire !== WIRE.bytes) reader.skip()
    else if (reader.field === SCOPE.name) scope.name = reader.string()
    else if (reader.field === SCOPE.version) scope.version = reader.string()
    else if (reader.field === SCOPE.attributes) readKeyValue(reader.message(), attributes, 0)
    else reader.skip()
  }
}

function readRecord(reader: ProtobufReader, origin: OtlpOrigin) {
  const fields = createFields()
  const attributes = new MemberAdder(fields.attributes)
  while (reader.next()) {
    if (reader.wire === WIRE.bytes) readBytesField(reader, fields, attributes)
    else if (reader.wire === WIRE.fixed64) readTimeField(reader, fields)
    else readNumberField(reader, fields)
  }
  if (attributes.isRepeated) reader.notes.isRepeated = true
  return toLogRecord(fields, origin, reader.notes)
}

function readBytesField(reader: ProtobufReader, fields: OtlpFields, attributes: MemberAdder): void {
  const { field } = reader
  if (field === RECORD.attributes) readKeyValue(reader.message(), attributes, 0)
  else if (field === RECORD.body) fields.body = readAnyValue(reader.message(), 0)
  else if (field === RECORD.severityText) fields.severityText = reader.string()
  else if (field === RECORD.traceId) fields.traceId = reader.view().toString('hex')
  else if (field === RECORD.spanId) fields.spanId = reader.view().toString('hex')
  else if (field === RECORD.eventName) fields.eventName = reader.string()
  else reader.skip()
}

function readTimeField(reader: ProtobufReader, fields: OtlpFields): void {
  const { field } = reader
  const time = reader.fixed64((high, low) => (high === 0 && low === 0 ? undefined : timeOfHalves(high, low)))
  if (field === RECORD.time) fields.time = time
  else if (field === RECORD.observedTime) fields.observedTime = time
}

function readNumberField(reader: ProtobufReader, fields: OtlpFields): void {
  const { field, wire } = reader
  if (field === RECORD.severityNumber && wire === WIRE.varint) fields.severityNumber = reader.uint32()
  else if (field === RECORD.droppedAttributes && wire === WIRE.varint) fields.droppedAttributes = reader.uint32()
  else if (field === RECORD.flags && wire === WIRE.fixed32) fields.traceFlags = reader.fixed32()
  else reader.skip()
}

function readKeyValue(reader: ProtobufReader, into: MemberAdder, depth: number): void {
  let key = ''
  let value: unknown = null
  while (reader.next()) {
    if (reader.wire !== WIRE.bytes) reader.skip()
    else if (reader.field === KEY_VALUE.key) key = reader.string()
    else if (reader.field === KEY_VALUE.value) value = readAnyValue(reader.message(), depth)
    else reader.skip()
  }
  into.add(key, value)
}

/** An AnyValue as a JSON value: bytes as base64, whole numbers beyond 2^53 and doubles that JSON has no number for as text. */
function readAnyValue(reader: ProtobufReader, depth: number): unknown {
  let value: unknown = null
  while (reader.next()) {
    const { field, wire } = reader
    if (wire === WIRE.bytes) {
      if (field === ANY.string) value = reader.string()
      else if (field === ANY.bytes) value = reader.view().toString('base64')
      else if (field === ANY.array || field === ANY.list) value = readNested(reader, field, depth)
      else reader.skip()
    } else if (field === ANY.bool && wire === WIRE.varint) value = reader.bool()
    else if (field === ANY.int && wire === WIRE.varint) value = reader.int64()
    else if (field === ANY.double && wire === WIRE.fixed64) value = toJsonNumber(reader.double())
    else reader.skip()
  }
  return value
}

/** A double as JSON has it; NaN and the infinities as text, as in the JSON mapping of protobuf. */
function toJsonNumber(number: number): number | string {
  return Number.isFinite(number) ? number : String(number)
}

/** A list or a map. Beyond the depth limit it is kept as the base64 text of its protobuf, so that nothing of it is lost. */
function readNested(reader: ProtobufReader, field: number, depth: number): unknown {
  if (depth + 1 > VALUE_DEPTH_MAX) {
    reader.notes.isDepthCut = true
    return reader.view().toString('base64')
  }
  const nested = reader.message()
  const items: unknown[] = []
  const adder = new MemberAdder()
  while (nested.next()) {
    if (nested.field !== LIST.values || nested.wire !== WIRE.bytes) nested.skip()
    else if (field === ANY.array) items.push(readAnyValue(nested.message(), depth + 1))
    else readKeyValue(nested.message(), adder, depth + 1)
  }
  if (adder.isRepeated) reader.notes.isRepeated = true
  return field === ANY.array ? items : adder.members
}
