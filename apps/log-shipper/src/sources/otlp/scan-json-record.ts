import { ATTRIBUTES_MAX, ESCAPED, LITERAL, ScannedLine, type ScannedSink, TEXT } from '../../records/scanned-line.js'
import {
  HEX_ID,
  HEX_INVALID,
  hasEscapes,
  isDigit,
  numberAt,
  plainNumberEnd,
  readHex,
  standsAt,
  stringEnd,
} from '../scan-bytes.js'

const QUOTE = 0x22
const CLOSE = 0x7d
const CLOSE_LIST = 0x5d
const COMMA = 0x2c
const OPEN = 0x7b

const TIME = Buffer.from('"timeUnixNano":')
const TRACE = Buffer.from('"traceId":"')
const OBSERVED_TIME = Buffer.from('"observedTimeUnixNano":')
const SEVERITY_NUMBER = Buffer.from('"severityNumber":')
const SEVERITY_TEXT = Buffer.from('"severityText":"')
const SPAN = Buffer.from('"spanId":"')
const BODY = Buffer.from('"body":{"stringValue":"')
const ATTRIBUTES = Buffer.from('"attributes":[')
const FLAGS = Buffer.from('"flags":')
const DROPPED = Buffer.from('"droppedAttributesCount":0')
const KEY = Buffer.from('{"key":"')
const VALUE = Buffer.from(',"value":{"')
const STRING_VALUE = Buffer.from('stringValue":"')
const INT_VALUE = Buffer.from('intValue":')
const DOUBLE_VALUE = Buffer.from('doubleValue":')
const BOOL_TRUE = Buffer.from('boolValue":true')
const BOOL_FALSE = Buffer.from('boolValue":false')

/** Bits of the fields that a record has. */
const HAS_TIME = 1
const HAS_OBSERVED = 2
const HAS_NUMBER = 4
const HAS_LEVEL = 8
const HAS_BODY = 16
const HAS_ATTRIBUTES = 32
const HAS_TRACE = 64
const HAS_SPAN = 128
const HAS_FLAGS = 256
const HAS_DROPPED = 512
const SEVERITY_MAX = 24
const FLAGS_DIGITS_MAX = 3
/** From September 2001 to 2262: seconds, and nanoseconds after them. */
const TIME_DIGITS = 19
const SECONDS_DIGITS = 10

const line = new ScannedLine()
/** The fields that were found so far. */
let found = 0
let levelSeverity = 0
let observedMs = -1
let observedSubNs = 0

/**
 * Reads a log record that begins at `from` and adds it. Returns the place behind it, or -1 when nothing was added and the record has to be decoded exactly:
 * for names that it does not know, names that occur twice, nested values, white space, escapes beyond those of two characters and large numbers.
 */
export function scanJsonRecord(bytes: Buffer, from: number, lines: ScannedSink): number {
  line.clear()
  lines.beginLine()
  found = 0
  levelSeverity = 0
  observedMs = -1
  let at = from
  do {
    at = scanField(bytes, at + 1, lines)
    if (at < 0) return -1
  } while (bytes[at] === COMMA)
  if (bytes[at] !== CLOSE) return -1
  if (line.timeMs < 0) {
    line.timeMs = observedMs
    line.timeSubNs = observedSubNs
  }
  if (line.severity < 1 || line.severity > SEVERITY_MAX) line.severity = levelSeverity
  return line.timeMs >= 0 && lines.add(bytes, line) ? at + 1 : -1
}

/** Reads a field whose name begins at `at`. Returns the place behind it, or -1. */
function scanField(bytes: Buffer, at: number, lines: ScannedSink): number {
  switch (bytes[at + 1]) {
    case 0x74: // t
      if (standsAt(bytes, at, TIME)) return note(HAS_TIME, scanTime(bytes, at + TIME.length, false))
      return standsAt(bytes, at, TRACE) ? note(HAS_TRACE, scanTrace(bytes, at + TRACE.length)) : -1
    case 0x73: // s
      if (standsAt(bytes, at, SEVERITY_NUMBER))
        return note(HAS_NUMBER, scanSeverityNumber(bytes, at + SEVERITY_NUMBER.length))
      if (standsAt(bytes, at, SEVERITY_TEXT)) return note(HAS_LEVEL, scanLevel(bytes, at + SEVERITY_TEXT.length, lines))
      return standsAt(bytes, at, SPAN) ? note(HAS_SPAN, scanSpan(bytes, at + SPAN.length)) : -1
    case 0x62: // b
      return standsAt(bytes, at, BODY) ? note(HAS_BODY, scanBody(bytes, at + BODY.length)) : -1
    case 0x61: // a
      return standsAt(bytes, at, ATTRIBUTES)
        ? note(HAS_ATTRIBUTES, scanAttributes(bytes, at + ATTRIBUTES.length, lines))
        : -1
    case 0x6f: // o
      return standsAt(bytes, at, OBSERVED_TIME)
        ? note(HAS_OBSERVED, scanTime(bytes, at + OBSERVED_TIME.length, true))
        : -1
    case 0x66: // f
      return standsAt(bytes, at, FLAGS) ? note(HAS_FLAGS, scanFlags(bytes, at + FLAGS.length)) : -1
    case 0x64: // d
      return standsAt(bytes, at, DROPPED) ? note(HAS_DROPPED, numberStop(bytes, at + DROPPED.length)) : -1
    default:
      return -1
  }
}

/** A name that occurs twice is for the exact decoder. */
function note(field: number, at: number): number {
  if ((found & field) !== 0) return -1
  found |= field
  return at
}

function numberStop(bytes: Buffer, at: number): number {
  return bytes[at] === COMMA || bytes[at] === CLOSE ? at : -1
}

/** A number or a string of 19 digits, or of a zero, which stands for no time. */
function scanTime(bytes: Buffer, from: number, isObserved: boolean): number {
  const isQuoted = bytes[from] === QUOTE
  const start = isQuoted ? from + 1 : from
  let end = start
  while (isDigit(bytes[end])) end++
  const isZero = end === start + 1 && bytes[start] === 0x30
  if (!isZero && (end - start !== TIME_DIGITS || bytes[start] === 0x30)) return -1
  if (!isZero) {
    const seconds = numberAt(bytes, start, start + SECONDS_DIGITS)
    const nanos = numberAt(bytes, start + SECONDS_DIGITS, end)
    const ms = seconds * 1000 + Math.floor(nanos / 1e6)
    if (isObserved) {
      observedMs = ms
      observedSubNs = nanos % 1e6
    } else {
      line.timeMs = ms
      line.timeSubNs = nanos % 1e6
    }
  }
  if (isQuoted) return bytes[end] === QUOTE ? end + 1 : -1
  return numberStop(bytes, end)
}

function scanTrace(bytes: Buffer, at: number): number {
  if (bytes[at] === QUOTE) return at + 1
  const end = at + line.trace.length * 2
  const kind = bytes[end] === QUOTE ? readHex(bytes, at, line.trace) : HEX_INVALID
  line.hasTrace = kind === HEX_ID
  return kind === HEX_INVALID ? -1 : end + 1
}

function scanSpan(bytes: Buffer, at: number): number {
  if (bytes[at] === QUOTE) return at + 1
  const end = at + line.span.length * 2
  const kind = bytes[end] === QUOTE ? readHex(bytes, at, line.span) : HEX_INVALID
  line.hasSpan = kind === HEX_ID
  return kind === HEX_INVALID ? -1 : end + 1
}

function scanSeverityNumber(bytes: Buffer, at: number): number {
  const end = isDigit(bytes[at + 1]) ? at + 2 : at + 1
  if (!isDigit(bytes[at]) || (bytes[at] === 0x30 && end > at + 1)) return -1
  line.severity = numberAt(bytes, at, end)
  return numberStop(bytes, end)
}

function scanFlags(bytes: Buffer, at: number): number {
  let end = at
  while (end < at + FLAGS_DIGITS_MAX && isDigit(bytes[end])) end++
  if (end === at || (bytes[at] === 0x30 && end > at + 1)) return -1
  line.traceFlags = numberAt(bytes, at, end)
  return numberStop(bytes, end)
}

function scanLevel(bytes: Buffer, at: number, lines: ScannedSink): number {
  const end = stringEnd(bytes, at)
  if (end < 0 || hasEscapes) return -1
  const level = lines.levelAt(bytes, at, end)
  if (level === undefined) return -1
  line.level = level.bytes
  levelSeverity = level.severity
  return end + 1
}

function scanBody(bytes: Buffer, at: number): number {
  const end = stringEnd(bytes, at)
  if (end < 0 || bytes[end + 1] !== CLOSE) return -1
  line.messageStart = at
  line.messageEnd = end
  line.isMessageEscaped = hasEscapes
  return end + 2
}

function scanAttributes(bytes: Buffer, from: number, lines: ScannedSink): number {
  if (bytes[from] === CLOSE_LIST) return from + 1
  let at = from - 1
  do {
    at = scanAttribute(bytes, at + 1, lines)
    if (at < 0) return -1
  } while (bytes[at] === COMMA && bytes[at + 1] === OPEN)
  return bytes[at] === CLOSE_LIST ? at + 1 : -1
}

function scanAttribute(bytes: Buffer, at: number, lines: ScannedSink): number {
  const index = line.attributes
  if (index === ATTRIBUTES_MAX || !standsAt(bytes, at, KEY)) return -1
  const nameStart = at + KEY.length
  const nameEnd = stringEnd(bytes, nameStart)
  if (nameEnd < 0 || hasEscapes || !standsAt(bytes, nameEnd + 1, VALUE)) return -1
  const name = lines.nameAt(bytes, nameStart, nameEnd)
  if (name === undefined) return -1
  const end = scanValue(bytes, nameEnd + 1 + VALUE.length, index)
  if (end < 0 || bytes[end] !== CLOSE || bytes[end + 1] !== CLOSE) return -1
  line.names[index] = name
  line.attributes = index + 1
  return end + 2
}

/** Reads a value whose type stands at `at`, and notes where it lies. Returns the place behind it, or -1. */
function scanValue(bytes: Buffer, at: number, index: number): number {
  const first = bytes[at]
  if (first === 0x73 && standsAt(bytes, at, STRING_VALUE)) {
    const start = at + STRING_VALUE.length
    const end = stringEnd(bytes, start)
    if (end < 0) return -1
    setValue(index, start, end)
    line.kinds[index] = hasEscapes ? ESCAPED : TEXT
    return end + 1
  }
  line.kinds[index] = LITERAL
  if (first === 0x69 && standsAt(bytes, at, INT_VALUE)) return scanInt(bytes, at + INT_VALUE.length, index)
  if (first === 0x64 && standsAt(bytes, at, DOUBLE_VALUE)) {
    const start = at + DOUBLE_VALUE.length
    return setValue(index, start, plainNumberEnd(bytes, start))
  }
  if (first !== 0x62) return -1
  if (standsAt(bytes, at, BOOL_TRUE)) return setValue(index, at + BOOL_TRUE.length - 4, at + BOOL_TRUE.length)
  return standsAt(bytes, at, BOOL_FALSE) ? setValue(index, at + BOOL_FALSE.length - 5, at + BOOL_FALSE.length) : -1
}

/** A whole number, which may be a string. */
function scanInt(bytes: Buffer, from: number, index: number): number {
  const isQuoted = bytes[from] === QUOTE
  const start = isQuoted ? from + 1 : from
  const end = plainNumberEnd(bytes, start)
  if (end < 0) return -1
  for (let at = start; at < end; at++) if (bytes[at] === 0x2e) return -1
  setValue(index, start, end)
  if (isQuoted) return bytes[end] === QUOTE ? end + 1 : -1
  return end
}

function setValue(index: number, start: number, end: number): number {
  line.starts[index] = start
  line.ends[index] = Math.max(start, end)
  return end
}
