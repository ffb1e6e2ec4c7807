import { isUtf8 } from 'node:buffer'
import { LOG_FLAGS, type LogRecord } from '../../records/log-record.js'
import type { LogSink } from '../../records/log-sink.js'
import { parseJson } from '../../records/parse-json.js'
import { parseTime } from '../../records/parse-time.js'
import { decideSeverity, severityOfPino } from '../../records/severity.js'

const TIME = ['time', 'timestamp', '@timestamp', 'ts', '_time', 'date']
const LEVEL = ['level', 'severity', 'severity_text', 'log.level', 'lvl']
const MESSAGE = ['message', 'msg', '_msg', 'log', 'body']
const SERVICE = ['service', 'service.name', 'service_name']
const HOST = ['host', 'hostname', 'host.name']
const TRACE = ['trace_id', 'traceId', 'trace.id']
const SPAN = ['span_id', 'spanId', 'span.id']

const LINE_FEED = 0x0a
const OPENING_BRACKET = 0x5b

type Fields = Record<string, unknown>

/** Reads a body of NDJSON, or of one JSON array. Hands each line to the sink. */
export function decodeNdjson(body: Buffer, sink: LogSink): void {
  const bytes = withoutMark(body)
  if (bytes[firstVisible(bytes)] === OPENING_BRACKET && addArray(bytes, sink)) return
  let index = 0
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, start)
    const end = feed < 0 ? bytes.length : feed
    const line = bytes.subarray(start, end)
    if (firstVisible(line) < line.length) addLine(line, index++, sink)
    start = end + 1
  }
}

function withoutMark(body: Buffer): Buffer {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body
}

/** The index of the first byte that is no white space, or the length. */
function firstVisible(bytes: Buffer): number {
  let at = 0
  while (at < bytes.length && isSpace(bytes[at] as number)) at++
  return at
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

/** Whether the body was one array. */
function addArray(bytes: Buffer, sink: LogSink): boolean {
  let items: unknown
  try {
    items = parseJson(bytes.toString('utf8')).value
  } catch {
    return false
  }
  if (!Array.isArray(items)) return false
  const flags = isUtf8(bytes) ? 0 : LOG_FLAGS.utf8Repaired
  for (const [index, item] of items.entries()) addValue(item, { index, flags, sink })
  return true
}

function addLine(line: Buffer, index: number, sink: LogSink): void {
  const flags = isUtf8(line) ? 0 : LOG_FLAGS.utf8Repaired
  try {
    const { value, hasRepeatedKeys } = parseJson(line.toString('utf8'))
    addValue(value, { index, flags: flags | (hasRepeatedKeys ? LOG_FLAGS.keysRepeated : 0), sink })
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    sink.reject(index, 'invalid_json', 'the line is not valid JSON')
  }
}

function addValue(value: unknown, { index, flags, sink }: { index: number; flags: number; sink: LogSink }): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) sink.add(toRecord(value as Fields, flags))
  else sink.reject(index, 'not_an_object', 'the line is not a JSON object')
}

/** The record that the fields of an object stand for. `fields` is changed: what is left in it are the attributes. */
function toRecord(fields: Fields, flags: number): LogRecord {
  const time = take(fields, TIME, parseTime)
  const number = take(fields, ['severity_number'], (value) => (isSeverity(value) ? value : undefined))
  const level = take(fields, LEVEL, toLevel)
  return {
    timeMs: time?.ms,
    timeSubNs: time?.subNs ?? 0,
    severity: number ?? level?.severity ?? 0,
    severityText: level?.text ?? '',
    service: take(fields, SERVICE, toName) ?? '',
    host: take(fields, HOST, toName) ?? '',
    traceId: take(fields, TRACE, (value) => toHex(value, 32)) ?? '',
    spanId: take(fields, SPAN, (value) => toHex(value, 16)) ?? '',
    message: take(fields, MESSAGE, (value) => (typeof value === 'string' ? value : undefined)) ?? '',
    attributes: fields,
    flags,
    originalBytes: 0,
  }
}

/** The first field with one of these names that `read` understands; it is removed. */
function take<T>(fields: Fields, names: readonly string[], read: (value: unknown) => T | undefined): T | undefined {
  for (const name of names) {
    if (!Object.hasOwn(fields, name)) continue
    const value = read(fields[name])
    if (value === undefined) continue
    delete fields[name]
    return value
  }
  return undefined
}

function isSeverity(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 24
}

function toLevel(value: unknown): { severity: number; text: string } | undefined {
  if (typeof value === 'number') return { severity: severityOfPino(value), text: String(value) }
  return typeof value === 'string' ? { severity: decideSeverity(undefined, value), text: value } : undefined
}

function toName(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return undefined
  const { name } = value as { name?: unknown }
  return typeof name === 'string' ? name : undefined
}

function toHex(value: unknown, digits: number): string | undefined {
  if (typeof value !== 'string' || value.length !== digits || !/^[\da-f]+$/i.test(value)) return undefined
  return /^0+$/.test(value) ? '' : value.toLowerCase()
}
