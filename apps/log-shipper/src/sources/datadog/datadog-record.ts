import type { DecodeNotes } from '../../fields/decode-notes.js'
import { isMembers, recordOfFields, take } from '../../fields/log-fields.js'
import { createMembers, MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import { severityOfSyslog } from '../../records/severity.js'

/** What a request says about all of its lines, in its query. Each is '' when it is absent. */
export interface DatadogDefaults {
  readonly source: string
  readonly service: string
  readonly hostname: string
  readonly tags: string
}

const STATUS = ['status', 'syslog.severity']
const TRACE = ['dd.trace_id', 'dd.traceId', 'contextMap.dd.trace_id', 'otel.trace_id']
const SPAN = ['dd.span_id', 'dd.spanId', 'contextMap.dd.span_id', 'otel.span_id']
const SERVICE = ['dd.service', 'syslog.appname']

/**
 * The record of one log of Datadog. What the log says counts before what the request says. Tags become the attribute `ddtags`, an object; the tag `service`
 * names the service when nothing else does.
 */
export function toLogRecord(log: Members, defaults: DatadogDefaults, notes: DecodeNotes): LogRecord {
  const tags = readTags([typeof log.ddtags === 'string' ? log.ddtags : '', defaults.tags])
  if (typeof log.ddtags === 'string') delete log.ddtags
  const status = take(log, STATUS, readStatus)
  const traceId = take(log, TRACE, (value) => readId(value, 32)) ?? ''
  const spanId = take(log, SPAN, (value) => readId(value, 16)) ?? ''
  const tracerService = take(log, SERVICE, (value) => (typeof value === 'string' && value !== '' ? value : undefined))
  const record = recordOfFields(log, notes)
  const attributes = record.attributes as Members
  if (defaults.source !== '' && !('ddsource' in attributes)) attributes.ddsource = defaults.source
  if (Object.keys(tags).length > 0) attributes['ddtags' in attributes ? 'ddtags#2' : 'ddtags'] = tags
  const tagged = typeof tags.service === 'string' ? tags.service : ''
  return {
    ...record,
    ...(status !== undefined && { severity: status.number, severityText: status.text }),
    service: record.service || defaults.service || tracerService || tagged,
    host: record.host || defaults.hostname,
    traceId: record.traceId || traceId,
    spanId: record.spanId || spanId,
  }
}

/** A log that is text alone. */
export function toTextRecord(message: string, defaults: DatadogDefaults, notes: DecodeNotes): LogRecord {
  return { ...toLogRecord(createMembers(), defaults, notes), message }
}

/** `env:prod,version:1` as an object; a tag without a value has ''. */
function readTags(texts: readonly string[]): Members {
  const adder = new MemberAdder()
  for (const tag of texts.flatMap((text) => text.split(','))) {
    const trimmed = tag.trim()
    if (trimmed === '') continue
    const colon = trimmed.indexOf(':')
    if (colon <= 0) adder.add(trimmed, '')
    else adder.add(trimmed.slice(0, colon), trimmed.slice(colon + 1))
  }
  return adder.members
}

/** Prefixes of Datadog's status remapper, in the order in which they are tried, with severity numbers of OpenTelemetry. */
const STATUSES: readonly (readonly [string, number])[] = [
  ['emerg', 21],
  ['f', 21],
  ['a', 19],
  ['c', 18],
  ['e', 17],
  ['w', 13],
  ['n', 10],
  ['i', 9],
  ['d', 5],
  ['trace', 1],
  ['verbose', 5],
  ['o', 9],
  ['s', 9],
]

/** Integers from 0 to 7 are severities of syslog; texts count by how they begin, and as information when they begin otherwise. */
function readStatus(value: unknown): { readonly number: number; readonly text: string } | undefined {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  if (text === '') return undefined
  if (/^[0-7]$/.test(text)) return { number: severityOfSyslog(Number(text)), text }
  const name = text.trim().toLowerCase()
  return { number: STATUSES.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 9, text }
}

/** Tracers of Datadog write ids as decimal numbers of 64 bits, or as hex of full length. */
function readId(value: unknown, digits: 16 | 32): string | undefined {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  if (text.length === digits && /^[0-9a-fA-F]+$/.test(text) && (digits === 32 || /[a-fA-F]/.test(text)))
    return /^0+$/.test(text) ? '' : text.toLowerCase()
  if (!/^\d{1,20}$/.test(text) || BigInt(text) >= 2n ** 64n) return undefined
  return BigInt(text) === 0n ? '' : BigInt(text).toString(16).padStart(digits, '0')
}

/** Whether a log is the empty object by which agents find out whether they may send. */
export function isProbe(log: unknown): boolean {
  return isMembers(log) && Object.keys(log).length === 0
}
