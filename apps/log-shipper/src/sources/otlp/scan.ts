import { isUtf8 } from 'node:buffer'
import { ATTRIBUTES_MAX, FALSE, NUMBER, ScannedLine, type ScannedSink, TEXT, TRUE } from '../../records/scanned-line.js'
import type { ByteRange } from '../protobuf-reader.js'

// Tags of the fields of a record: number * 8 + wire type.
const TIME = 0x09
const SEVERITY_NUMBER = 0x10
const SEVERITY_TEXT = 0x1a
const BODY = 0x2a
const ATTRIBUTE = 0x32
const FLAGS = 0x45
const TRACE = 0x4a
const SPAN = 0x52
const OBSERVED_TIME = 0x59
const KEY = 0x0a
const VALUE = 0x12
const STRING_VALUE = 0x0a
const BOOL_VALUE = 0x10
const INT_VALUE = 0x18
const DOUBLE_VALUE = 0x21

const SEVERITY_MAX = 24
const FLAGS_MAX = 999
/** Whole numbers from here on may be masked. */
const NUMBER_MAX = 1e12
const QUOTE = 0x22
const BACKSLASH = 0x5c

const line = new ScannedLine()
/** Where the reader is. */
let at = 0
let levelSeverity = 0
let observedMs = -1
let observedSubNs = 0

/**
 * Reads a log record in protobuf and adds it. False when nothing was added and the record has to be decoded exactly: for fields that it does not know, fields
 * that occur twice, nested values, texts that JSON has to escape, invalid UTF-8, negative and large numbers.
 */
export function scanRecord(bytes: Buffer, { start, end }: ByteRange, lines: ScannedSink): boolean {
  line.clear()
  lines.beginLine()
  levelSeverity = 0
  observedMs = -1
  at = start
  let found = 0
  while (at < end) {
    const tag = bytes[at++] as number
    // Only attributes may occur several times. The tags differ in their upper bits.
    const bit = tag === ATTRIBUTE ? 0 : 1 << (tag >> 3)
    if ((found & bit) !== 0 || !scanField(bytes, tag, { end, lines })) return false
    found |= bit
  }
  if (at !== end) return false
  if (line.timeMs < 0) {
    line.timeMs = observedMs
    line.timeSubNs = observedSubNs
  }
  if (line.severity < 1 || line.severity > SEVERITY_MAX) line.severity = levelSeverity
  return line.timeMs >= 0 && lines.add(bytes, line)
}

interface Place {
  readonly end: number
  readonly lines: ScannedSink
}

function scanField(bytes: Buffer, tag: number, { end, lines }: Place): boolean {
  if (tag === TIME || tag === OBSERVED_TIME) return scanTime(bytes, tag === OBSERVED_TIME, end)
  if (tag === SEVERITY_NUMBER) {
    line.severity = bytes[at++] ?? 0
    return line.severity < 0x80
  }
  if (tag === FLAGS) {
    if (at + 4 > end) return false
    line.traceFlags = bytes.readUInt32LE(at)
    at += 4
    return line.traceFlags <= FLAGS_MAX
  }
  const length = readLength(bytes, end)
  if (length < 0) return false
  const stop = at + length
  switch (tag) {
    case ATTRIBUTE:
      return scanAttribute(bytes, stop, lines)
    case BODY:
      return scanBody(bytes, stop)
    case SEVERITY_TEXT:
      return scanLevel(bytes, stop, lines)
    case TRACE:
      line.hasTrace = length > 0 && readId(bytes, line.trace, stop)
      return length === 0 || length === line.trace.length
    case SPAN:
      line.hasSpan = length > 0 && readId(bytes, line.span, stop)
      return length === 0 || length === line.span.length
    default:
      return false
  }
}

/** A length of up to 2 MiB, with which the content ends at `end` at the latest; -1 for others. */
function readLength(bytes: Buffer, end: number): number {
  let length = bytes[at++] ?? 0
  if (length >= 0x80) {
    const second = bytes[at++] ?? 0
    length = (length & 0x7f) | ((second & 0x7f) << 7)
    if (second >= 0x80) {
      const third = bytes[at++] ?? 0
      if (third >= 0x80) return -1
      length |= third << 14
    }
  }
  return at + length <= end ? length : -1
}

function scanTime(bytes: Buffer, isObserved: boolean, end: number): boolean {
  if (at + 8 > end) return false
  const low = bytes.readUInt32LE(at)
  const high = bytes.readUInt32LE(at + 4)
  at += 8
  if (low === 0 && high === 0) return true
  // As in time-of-halves.ts, without an object.
  const rest = high * 967_296 + low
  const ms = high * 4_294 + Math.floor(rest / 1e6)
  if (isObserved) {
    observedMs = ms
    observedSubNs = rest % 1e6
  } else {
    line.timeMs = ms
    line.timeSubNs = rest % 1e6
  }
  return true
}

/** Copies an id. False for zeros, which stand for none. */
function readId(bytes: Buffer, into: Buffer, stop: number): boolean {
  let sum = 0
  if (stop - at === into.length) {
    for (let index = 0; index < into.length; index++) {
      const byte = bytes[at + index] as number
      into[index] = byte
      sum |= byte
    }
  }
  at = stop
  return sum !== 0
}

function scanLevel(bytes: Buffer, stop: number, lines: ScannedSink): boolean {
  if (!isPlain(bytes, at, stop)) return false
  const level = lines.levelAt(bytes, at, stop)
  if (level === undefined) return false
  line.level = level.bytes
  levelSeverity = level.severity
  at = stop
  return true
}

function scanBody(bytes: Buffer, stop: number): boolean {
  if (bytes[at++] !== STRING_VALUE) return false
  const length = readLength(bytes, stop)
  if (length < 0 || at + length !== stop || !isValid(bytes, at, stop)) return false
  line.messageStart = at
  line.messageEnd = stop
  at = stop
  return true
}

function scanAttribute(bytes: Buffer, stop: number, lines: ScannedSink): boolean {
  const index = line.attributes
  if (index === ATTRIBUTES_MAX || bytes[at++] !== KEY) return false
  const nameLength = readLength(bytes, stop)
  if (nameLength < 0) return false
  const nameEnd = at + nameLength
  if (!isPlain(bytes, at, nameEnd)) return false
  const name = lines.nameAt(bytes, at, nameEnd)
  if (name === undefined) return false
  line.names[index] = name
  at = nameEnd
  if (at >= stop || bytes[at++] !== VALUE) return false
  const length = readLength(bytes, stop)
  if (length < 2 || at + length !== stop || !scanValue(bytes, index, stop)) return false
  line.attributes = index + 1
  return at === stop
}

function scanValue(bytes: Buffer, index: number, stop: number): boolean {
  switch (bytes[at++]) {
    case STRING_VALUE: {
      const length = readLength(bytes, stop)
      if (length < 0 || at + length !== stop || !isPlain(bytes, at, stop)) return false
      line.kinds[index] = TEXT
      line.starts[index] = at
      line.ends[index] = stop
      at = stop
      return true
    }
    case INT_VALUE:
      return setNumber(index, readNumber(bytes, stop))
    case DOUBLE_VALUE:
      if (at + 8 !== stop) return false
      at = stop
      return setNumber(index, bytes.readDoubleLE(stop - 8))
    case BOOL_VALUE:
      line.kinds[index] = bytes[at] === 0 ? FALSE : TRUE
      return (bytes[at++] ?? 2) <= 1
    default:
      return false
  }
}

/** A number that is not masked and that JSON has. */
function setNumber(index: number, value: number): boolean {
  line.kinds[index] = NUMBER
  line.numbers[index] = value
  return value > -NUMBER_MAX && value < NUMBER_MAX
}

/** A varint of up to six bytes; NaN for others, and so for negative numbers. */
function readNumber(bytes: Buffer, stop: number): number {
  let value = 0
  let factor = 1
  for (let count = 0; count < 6 && at < stop; count++) {
    const byte = bytes[at++] as number
    value += (byte & 0x7f) * factor
    if (byte < 0x80) return value
    factor *= 128
  }
  return Number.NaN
}

/** Whether a text is ASCII that stands in JSON as it is. */
function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    const code = bytes[index] as number
    if (code < 0x20 || code >= 0x80 || code === QUOTE || code === BACKSLASH) return false
  }
  return true
}

function isValid(bytes: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index++)
    if ((bytes[index] as number) >= 0x80) return isUtf8(bytes.subarray(index, end))
  return true
}
