import { createMembers } from '../fields/member-adder.js'
import { flagNames, type LogRecord } from '../records/log-record.js'
import { formatTime, parseTime } from '../records/parse-time.js'
import type { StoredRecord } from '../records/record-limits.js'
import { levelOf, severityOfText } from '../records/severity.js'

/** Fields of a line in answers of the API. Those that a sample does not set are ignored. */
const KNOWN = [
  'id',
  'time',
  'level',
  'severity',
  'severity_text',
  'service',
  'host',
  'trace_id',
  'span_id',
  'message',
  'flags',
  'original_bytes',
  'attributes',
  'highlights',
  'highlight',
  'links',
]

/** The record of a sample: a line as searches return it, or its message alone. What is wrong with it is returned as a text. */
export function readSample(value: unknown): LogRecord | string {
  if (typeof value === 'string') return { ...EMPTY, attributes: createMembers(), message: value }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'must be a text, or a line as searches return it'
  const sample = value as Readonly<Record<string, unknown>>
  const unknown = Object.keys(sample).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined)
    return `has the unknown field ${unknown.slice(0, 100)}; fields of an application are members of attributes`
  const text = (name: string) => (typeof sample[name] === 'string' ? (sample[name] as string) : '')
  const attributes = sample.attributes ?? {}
  if (typeof attributes !== 'object' || Array.isArray(attributes)) return 'has attributes that are no object'
  const time = parseTime(sample.time)
  const { severity } = sample
  return {
    timeMs: time?.ms,
    timeSubNs: time?.subNs ?? 0,
    severity:
      typeof severity === 'number' && Number.isInteger(severity) && severity >= 0 && severity <= 24
        ? severity
        : severityOfText(text('severity_text') || text('level')),
    severityText: text('severity_text'),
    service: text('service'),
    host: text('host'),
    traceId: text('trace_id'),
    spanId: text('span_id'),
    message: text('message'),
    attributes: Object.assign(createMembers(), attributes),
    flags: 0,
    originalBytes: 0,
  }
}

const EMPTY = {
  timeMs: undefined,
  timeSubNs: 0,
  severity: 0,
  severityText: '',
  service: '',
  host: '',
  traceId: '',
  spanId: '',
  flags: 0,
  originalBytes: 0,
} as const

/** A line as it would be stored, with the fields of a search answer that the stream does not add. */
export function showLine(line: StoredRecord): Readonly<Record<string, unknown>> {
  return {
    time: formatTime(line.timeMs, line.timeSubNs),
    level: levelOf(line.severity),
    severity: line.severity,
    severity_text: line.severityText,
    service: line.service,
    host: line.host,
    trace_id: line.traceId,
    span_id: line.spanId,
    message: line.message,
    flags: flagNames(line.flags),
    attributes: JSON.parse(line.attributesJson) as unknown,
  }
}
