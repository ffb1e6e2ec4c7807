import { DecodeFault } from '../../fields/decode-fault.js'
import type { DecodeNotes } from '../../fields/decode-notes.js'
import { isMembers, recordOfFields, setAside } from '../../fields/log-fields.js'
import { MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import { type ExactTime, parseTime } from '../../records/parse-time.js'
import { severityOfSyslog } from '../../records/severity.js'
import { decodeJson } from '../json-lines.js'

const SEVERITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug']
/** Fields of the format itself. All others should begin with an underscore, which is left out. */
const OWN = new Set(['version', 'host', 'short_message', 'full_message', 'timestamp', 'level'])
/** Additional fields by which libraries name the service, besides those of NDJSON. */
const SERVICES = ['application_name', 'app_name', 'container_name', 'tag', 'facility']

/**
 * The record of one message of GELF, https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
 * @throws DecodeFault when it is not a JSON object
 */
export function decodeGelf(bytes: Buffer): LogRecord {
  const { value, notes } = decodeJson(bytes)
  if (!isMembers(value)) throw new DecodeFault('not_an_object', 'a message of GELF must be a JSON object')
  return toLogRecord(value, notes)
}

function toLogRecord(message: Members, notes: DecodeNotes): LogRecord {
  const adder = new MemberAdder()
  for (const name in message) {
    if (!OWN.has(name)) adder.add(name.startsWith('_') && name.length > 1 ? name.slice(1) : name, message[name])
  }
  const { members } = adder
  const time = readTimestamp(message.timestamp)
  // The format has the time and the message in fields of its own.
  const kept = setAside(members, 'time and message')
  const record = recordOfFields(members, { ...notes, isRepeated: notes.isRepeated || adder.isRepeated })
  const attributes = Object.assign(record.attributes, kept) as Members
  const { short_message: short, full_message: full, level, host } = message
  const text = toMessage(full) ?? toMessage(short) ?? ''
  if (toMessage(full) !== undefined && short !== undefined && short !== full) attributes.short_message = short
  if (time === undefined && message.timestamp !== undefined) attributes.timestamp = message.timestamp
  if (typeof host !== 'string' && host !== undefined) attributes.host = host
  const severity = readLevel(level)
  if (severity === undefined && level !== undefined && level !== null) attributes.level = level
  return {
    ...record,
    timeMs: time?.ms,
    timeSubNs: time?.subNs ?? 0,
    ...(severity !== undefined && {
      severity: severityOfSyslog(severity),
      severityText: SEVERITIES[severity] as string,
    }),
    service: record.service || findService(members),
    host: typeof host === 'string' && host !== '' ? host : record.host,
    message: text,
    attributes,
  }
}

/** Seconds since 1970 with decimal places; some libraries send milliseconds, or a date as text. */
function readTimestamp(value: unknown): ExactTime | undefined {
  return typeof value === 'number' || typeof value === 'string' ? parseTime(value) : undefined
}

function readLevel(value: unknown): number | undefined {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  return /^[0-7]$/.test(text) ? Number(text) : undefined
}

function toMessage(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The name stays an attribute as well. */
function findService(members: Members): string {
  for (const name of SERVICES) {
    const value = members[name]
    if (typeof value === 'string' && value !== '') return value
  }
  return ''
}
