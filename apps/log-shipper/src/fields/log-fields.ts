import type { LogRecord } from '../records/log-record.js'
import { type ExactTime, parseTime } from '../records/parse-time.js'
import { severityOfPino, severityOfSyslog, severityOfText } from '../records/severity.js'
import { type DecodeNotes, flagsOf } from './decode-notes.js'
import { createMembers, type Members } from './member-adder.js'

// Names under which logging libraries and agents write a field, in the order in which they count. A dot also stands for nesting.
const TIME = ['timestamp', 'time', '@timestamp', 'ts', '_time', '@t', 'datetime', 'date', 'timeMillis', 'asctime']
const SEVERITY_NUMBER = ['severity_number', 'severityNumber']
const LEVEL = [
  'level',
  'severity',
  'severity_text',
  'severityText',
  'log.level',
  'lvl',
  'levelname',
  '@l',
  'loglevel',
  'log_level',
  'detected_level',
  'status',
]
const SYSLOG_LEVEL = ['PRIORITY', 'syslog.severity', 'log.syslog.severity.code']
const MESSAGE = ['message', 'msg', '_msg', '@m', 'log', 'body', 'MESSAGE', '@mt', 'textPayload', 'event']
const SERVICE = ['service.name', 'service', 'service_name', 'serviceName', 'app', 'application', 'SYSLOG_IDENTIFIER']
const HOST = ['host.name', 'host', 'hostname', 'host_name', '_HOSTNAME']
const TRACE = ['trace_id', 'traceId', 'trace.id', 'traceID', '@tr', 'logging.googleapis.com/trace']
const SPAN = ['span_id', 'spanId', 'span.id', 'spanID', '@sp', 'logging.googleapis.com/spanId']

/**
 * The record that the fields of an object stand for, as logging libraries write them. A field that becomes a field of the record is taken out
 * of `fields`; what is left are the attributes. A field that cannot be understood (a level that is a list) stays an attribute.
 */
export function recordOfFields(fields: Members, notes: DecodeNotes): LogRecord {
  const time = take(fields, TIME, readTime)
  const severity = takeSeverity(fields)
  return {
    timeMs: time?.ms,
    timeSubNs: time?.subNs ?? 0,
    severity: severity.number,
    severityText: severity.text,
    service: take(fields, SERVICE, readName) ?? '',
    host: take(fields, HOST, readName) ?? '',
    traceId: take(fields, TRACE, (value) => readId(value, 32)) ?? '',
    spanId: take(fields, SPAN, (value) => readId(value, 16)) ?? '',
    message: take(fields, MESSAGE, readMessage) ?? '',
    attributes: fields,
    flags: flagsOf(notes),
    originalBytes: 0,
  }
}

/**
 * Takes the fields out that would be read as the time, or as the time and the message, for wires that carry these apart from the fields. The caller puts
 * them back after recordOfFields.
 */
export function setAside(fields: Members, what: 'time' | 'time and message'): Members {
  const aside = createMembers()
  for (const name of what === 'time' ? TIME : [...TIME, ...MESSAGE]) {
    if (!(name in fields)) continue
    aside[name] = fields[name]
    delete fields[name]
  }
  return aside
}

/** The number counts first, then a text. */
function takeSeverity(fields: Members): { number: number; text: string } {
  const number = take(fields, SEVERITY_NUMBER, readSeverityNumber)
  const level = take(fields, LEVEL, readLevel)
  const syslog = take(fields, SYSLOG_LEVEL, readSyslogLevel)
  return { number: number ?? (level?.number || (syslog?.number ?? 0)), text: level?.text ?? syslog?.text ?? '' }
}

/** The first field with one of these names that `read` understands; it is removed. */
export function take<T>(
  fields: Members,
  names: readonly string[],
  read: (value: unknown) => T | undefined,
): T | undefined {
  for (const name of names) {
    if (name in fields) {
      const value = read(fields[name])
      if (value === undefined) continue
      delete fields[name]
      return value
    }
    const dot = name.indexOf('.')
    const inner = dot < 0 ? undefined : fields[name.slice(0, dot)]
    if (!isMembers(inner)) continue
    const value = take(inner, [name.slice(dot + 1)], read)
    if (value === undefined) continue
    if (Object.keys(inner).length === 0) delete fields[name.slice(0, dot)]
    return value
  }
  return undefined
}

/** Whether a decoded value is an object. */
export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Besides what parseTime takes: `{seconds, nanos}` of Google and `{epochSecond, nanoOfSecond}` of Log4j. */
function readTime(value: unknown): ExactTime | undefined {
  if (!isMembers(value)) return parseTime(value)
  const seconds = value.seconds ?? value.epochSecond
  const nanos = value.nanos ?? value.nanoOfSecond ?? 0
  const isExact = typeof nanos === 'number' && nanos >= 0 && nanos < 1e9 && /^\d{1,12}$/.test(toText(seconds))
  return isExact ? { ms: Number(seconds) * 1000 + Math.floor(nanos / 1e6), subNs: nanos % 1e6 } : undefined
}

function readSeverityNumber(value: unknown): number | undefined {
  const number = Number(toText(value) || Number.NaN)
  return Number.isInteger(number) && number >= 1 && number <= 24 ? number : undefined
}

function readLevel(value: unknown): { number: number; text: string } | undefined {
  const text = toText(value)
  if (text === '') return undefined
  return { number: /^\d{1,3}$/.test(text) ? severityOfPino(Number(text)) : severityOfText(text), text }
}

function readSyslogLevel(value: unknown): { number: number; text: string } | undefined {
  const text = toText(value)
  return /^[0-7]$/.test(text) ? { number: severityOfSyslog(Number(text)), text } : undefined
}

function readName(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** An id in hex, with or without the dashes of a UUID; for Google the last part of a resource name. '' when all digits are zero. */
function readId(value: unknown, digits: number): string | undefined {
  if (typeof value !== 'string' || value.length > 200) return undefined
  const hex = value
    .slice(value.lastIndexOf('/') + 1)
    .replaceAll('-', '')
    .toLowerCase()
  if (hex.length !== digits || !/^[0-9a-f]+$/.test(hex)) return undefined
  return /^0+$/.test(hex) ? '' : hex
}

function readMessage(value: unknown): string | undefined {
  if (isMembers(value)) return undefined
  if (typeof value === 'string') return value
  return value === null || value === undefined ? undefined : JSON.stringify(value)
}

/** A number or a string as text; '' for everything else. */
function toText(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : ''
}
