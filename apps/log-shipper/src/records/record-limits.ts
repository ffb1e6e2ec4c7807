import { DAY_MS } from '@millrace/contracts'
import { LOG_FLAGS, type LogRecord } from './log-record.js'
import { formatTime } from './parse-time.js'

/** Limits of one record. Beyond them a record is changed and flagged, never refused. */
export interface RecordLimits {
  /** Message and attributes together, in bytes. Default 1 MiB. */
  readonly bytesMax: number
  /** Nesting of attributes. Default 32. */
  readonly depthMax: number
  /** Attributes, nested ones included. Default 2,000. */
  readonly attributesMax: number
}

/** The limits of issue and README. */
export const RECORD_LIMITS: RecordLimits = { bytesMax: 1_048_576, depthMax: 32, attributesMax: 2_000 }

/** A record within all limits: what is stored. */
export interface StoredRecord extends Omit<LogRecord, 'timeMs' | 'attributes'> {
  readonly timeMs: number
  /** JSON text of an object. */
  readonly attributesJson: string
}

/** Lines with a later time, measured from receipt, get the time of receipt: a clock that is wrong must not hide newer lines. */
const AHEAD_MAX_MS = DAY_MS
/** Names are columns of tables and indexes, so they are short. */
const NAME_LENGTH_MAX = 255
/** The attribute that keeps a time that cannot be used. */
const ORIGINAL_TIME = 'millrace.original_time'
const HEX_32 = /^[\da-f]{32}$/
const HEX_16 = /^[\da-f]{16}$/

/** Brings a masked record within the limits and flags what it changed. */
export function limitRecord(
  record: LogRecord,
  receivedAtMs: number,
  limits: RecordLimits = RECORD_LIMITS,
): StoredRecord {
  const names = {
    service: toName(record.service),
    host: toName(record.host),
    severityText: toName(record.severityText),
  }
  const message = record.message.isWellFormed() ? record.message : record.message.toWellFormed()
  let flags = record.flags
  if (message !== record.message) flags |= LOG_FLAGS.utf8Repaired
  for (const [key, name] of Object.entries(names))
    if (name !== record[key as keyof typeof names]) flags |= LOG_FLAGS.cut
  const time = toUsableTime(record, receivedAtMs)
  if (time.isGuessed) flags |= LOG_FLAGS.timeGuessed
  const bounded = boundAttributes(record.attributes, limits)
  const attributes = time.original === undefined ? bounded.value : { ...bounded.value, [ORIGINAL_TIME]: time.original }
  const sized = fitBytes({ message, attributes }, limits.bytesMax)
  const isCut = sized.originalBytes > 0
  return {
    ...names,
    timeMs: time.ms,
    timeSubNs: time.subNs,
    severity: record.severity,
    traceId: HEX_32.test(record.traceId) ? record.traceId : '',
    spanId: HEX_16.test(record.spanId) ? record.spanId : '',
    message: sized.message,
    attributesJson: sized.attributesJson,
    flags: flags | bounded.flags | (isCut ? LOG_FLAGS.cut : 0),
    originalBytes: record.originalBytes || sized.originalBytes,
  }
}

/** A short text that every column can hold. */
export function toName(text: string): string {
  const name = text.length > NAME_LENGTH_MAX ? text.slice(0, NAME_LENGTH_MAX) : text
  return name.toWellFormed().replaceAll('\0', '\ufffd')
}

/** Whether a time can be that of a line; else the time of receipt is taken. */
export function isUsableTime(timeMs: number, receivedAtMs: number): boolean {
  return timeMs >= 0 && timeMs <= receivedAtMs + AHEAD_MAX_MS && Number.isInteger(timeMs)
}

function toUsableTime(
  { timeMs, timeSubNs }: LogRecord,
  receivedAtMs: number,
): { ms: number; subNs: number; isGuessed: boolean; original?: string } {
  if (timeMs === undefined) return { ms: receivedAtMs, subNs: 0, isGuessed: true }
  if (isUsableTime(timeMs, receivedAtMs)) return { ms: timeMs, subNs: timeSubNs, isGuessed: false }
  const isDate = Number.isFinite(timeMs) && Math.abs(timeMs) <= 8.64e15
  const original = isDate ? formatTime(Math.trunc(timeMs), timeSubNs) : String(timeMs)
  return { ms: receivedAtMs, subNs: 0, isGuessed: true, original }
}

interface Bounded {
  readonly value: Readonly<Record<string, unknown>>
  readonly flags: number
}

function boundAttributes(attributes: Readonly<Record<string, unknown>>, limits: RecordLimits): Bounded {
  const size = { count: 0, depth: 0 }
  measure(attributes, 1, size, limits)
  if (size.count <= limits.attributesMax && size.depth <= limits.depthMax) return { value: attributes, flags: 0 }
  const left = { count: limits.attributesMax, flags: 0 }
  return { value: rebuild(attributes, 1, left, limits) as Readonly<Record<string, unknown>>, flags: left.flags }
}

/** Counts keys and levels; stops as soon as a limit is passed, so its recursion is bounded. */
function measure(value: unknown, depth: number, size: { count: number; depth: number }, limits: RecordLimits): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > size.depth) size.depth = depth
  if (depth > limits.depthMax) return
  if (Array.isArray(value)) {
    for (const item of value) {
      measure(item, depth + 1, size, limits)
      if (size.depth > limits.depthMax || size.count > limits.attributesMax) return
    }
    return
  }
  for (const key in value) {
    size.count++
    if (size.count > limits.attributesMax) return
    measure((value as Record<string, unknown>)[key], depth + 1, size, limits)
    if (size.depth > limits.depthMax) return
  }
}

function rebuild(value: unknown, depth: number, left: { count: number; flags: number }, limits: RecordLimits): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > limits.depthMax) {
    left.flags |= LOG_FLAGS.depthCut
    return toJsonText(value)
  }
  if (Array.isArray(value)) return value.map((item) => rebuild(item, depth + 1, left, limits))
  const entries: [string, unknown][] = []
  for (const key in value) {
    if (left.count === 0) {
      left.flags |= LOG_FLAGS.attributesCut
      break
    }
    left.count--
    entries.push([key, rebuild((value as Record<string, unknown>)[key], depth + 1, left, limits)])
  }
  return Object.fromEntries(entries)
}

/** JSON.stringify needs the stack of the engine for each level. */
function toJsonText(value: object): string {
  try {
    return JSON.stringify(value)
  } catch {
    return Array.isArray(value) ? '[…]' : '{…}'
  }
}

interface Sized {
  readonly message: string
  readonly attributesJson: string
  /** 0 when nothing was cut. */
  readonly originalBytes: number
}

/** Cuts the message to what the attributes leave, at least to half of the limit; then attributes from the end. */
function fitBytes(
  { message, attributes }: { message: string; attributes: Readonly<Record<string, unknown>> },
  bytesMax: number,
): Sized {
  const attributesJson = JSON.stringify(attributes)
  // A UTF-16 unit has at most three bytes.
  if ((message.length + attributesJson.length) * 3 <= bytesMax) return { message, attributesJson, originalBytes: 0 }
  const messageBytes = Buffer.byteLength(message)
  const attributeBytes = Buffer.byteLength(attributesJson)
  const originalBytes = messageBytes + attributeBytes
  if (originalBytes <= bytesMax) return { message, attributesJson, originalBytes: 0 }
  const messageMax = Math.max(bytesMax / 2, bytesMax - attributeBytes)
  const shorter = cutText(message, messageMax)
  return {
    message: shorter,
    attributesJson: cutAttributes(attributes, bytesMax - Buffer.byteLength(shorter)),
    originalBytes,
  }
}

/** The longest beginning of the text that has at most this number of bytes. */
function cutText(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= bytesMax) return text
  let end = Math.floor(bytesMax)
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

function cutAttributes(attributes: Readonly<Record<string, unknown>>, bytesMax: number): string {
  const kept: [string, unknown][] = []
  let left = bytesMax - 2
  for (const [key, value] of Object.entries(attributes)) {
    const bytes = Buffer.byteLength(JSON.stringify(key)) + Buffer.byteLength(JSON.stringify(value) ?? 'null') + 2
    if (bytes <= left) kept.push([key, value])
    else if (typeof value === 'string' && left > 1024) {
      // An escaped character has up to six bytes for one.
      const shorter = cutText(value, Math.floor((left - Buffer.byteLength(JSON.stringify(key))) / 6))
      kept.push([key, shorter])
      left -= Buffer.byteLength(JSON.stringify(key)) + Buffer.byteLength(JSON.stringify(shorter)) + 2
      continue
    } else continue
    left -= bytes
  }
  return JSON.stringify(Object.fromEntries(kept))
}
