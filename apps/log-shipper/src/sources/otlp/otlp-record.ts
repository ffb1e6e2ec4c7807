import { type DecodeNotes, flagsOf } from '../../fields/decode-notes.js'
import { createMembers, MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import type { ExactTime } from '../../records/parse-time.js'
import { decideSeverity } from '../../records/severity.js'

/** How deep a value may be nested; deeper values are kept as text and flagged. */
export const VALUE_DEPTH_MAX = 32

/** What all records of one resource and scope have in common. */
export interface OtlpOrigin {
  readonly service: string
  readonly host: string
  /** Attributes of the resource as `resource.…` and of the scope as `scope.…`. */
  readonly attributes: Members
}

/** The fields of an OTLP LogRecord, from protobuf or JSON. */
export interface OtlpFields {
  time: ExactTime | undefined
  observedTime: ExactTime | undefined
  severityNumber: number
  severityText: string
  body: unknown
  attributes: Members
  /** Lower-case hex. */
  traceId: string
  spanId: string
  eventName: string
  traceFlags: number
  droppedAttributes: number
}

/** Fields of a record that has none. */
export function createFields(): OtlpFields {
  return {
    time: undefined,
    observedTime: undefined,
    severityNumber: 0,
    severityText: '',
    body: undefined,
    attributes: createMembers(),
    traceId: '',
    spanId: '',
    eventName: '',
    traceFlags: 0,
    droppedAttributes: 0,
  }
}

/** The record of Millrace. Nothing of the fields is lost except the observed time of a record that has a time of its own. */
export function toLogRecord(fields: OtlpFields, origin: OtlpOrigin, notes: DecodeNotes): LogRecord {
  const time = fields.time ?? fields.observedTime
  const adder = new MemberAdder(fields.attributes)
  const traceId = readId(fields.traceId, 32)
  const spanId = readId(fields.spanId, 16)
  if (traceId === undefined) adder.add('trace_id', fields.traceId)
  if (spanId === undefined) adder.add('span_id', fields.spanId)
  if (fields.eventName !== '') adder.add('event.name', fields.eventName)
  if (fields.traceFlags !== 0) adder.add('trace_flags', fields.traceFlags)
  if (fields.droppedAttributes !== 0) adder.add('dropped_attributes_count', fields.droppedAttributes)
  for (const name in origin.attributes) adder.add(name, origin.attributes[name])
  return {
    timeMs: time?.ms,
    timeSubNs: time?.subNs ?? 0,
    severity: decideSeverity(fields.severityNumber, fields.severityText),
    severityText: fields.severityText,
    service: origin.service,
    host: origin.host,
    traceId: traceId ?? '',
    spanId: spanId ?? '',
    message: toMessage(fields.body),
    attributes: adder.members,
    flags: flagsOf(notes),
    originalBytes: 0,
  }
}

/** A body that is no text becomes its JSON, so that every part of it can be searched as part of the message. */
function toMessage(body: unknown): string {
  if (typeof body === 'string') return body
  return body === undefined || body === null ? '' : JSON.stringify(body)
}

/** The id, '' when it is absent or all zero, undefined when it has another length and so is no id. */
function readId(hex: string, digits: number): string | undefined {
  if (hex === '' || /^0+$/.test(hex)) return ''
  return hex.length === digits ? hex : undefined
}

/** The origin of records from the attributes of a resource and the parts of a scope. */
export function createOrigin(resource: Members, scope: OtlpScope, schemaUrls: OtlpSchemaUrls): OtlpOrigin {
  const adder = new MemberAdder()
  let service = ''
  let host = ''
  for (const name in resource) {
    const value = resource[name]
    if (name === 'service.name' && typeof value === 'string') service = value
    else if (name === 'host.name' && typeof value === 'string') host = value
    else adder.add(`resource.${name}`, value)
  }
  if (schemaUrls.resource !== '') adder.add('resource.schema_url', schemaUrls.resource)
  if (scope.name !== '') adder.add('scope.name', scope.name)
  if (scope.version !== '') adder.add('scope.version', scope.version)
  for (const name in scope.attributes) adder.add(`scope.${name}`, scope.attributes[name])
  if (schemaUrls.scope !== '') adder.add('scope.schema_url', schemaUrls.scope)
  return { service, host, attributes: adder.members }
}

/** An instrumentation scope. */
export interface OtlpScope {
  name: string
  version: string
  attributes: Members
}

/** The schemas that the attributes of a resource and of a scope follow; '' if absent. */
export interface OtlpSchemaUrls {
  readonly resource: string
  readonly scope: string
}
