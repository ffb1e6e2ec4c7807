import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import { createNotes, type DecodeNotes } from '../../fields/decode-notes.js'
import { isMembers, recordOfFields, setAside } from '../../fields/log-fields.js'
import { createMembers, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import type { LogSink } from '../../records/log-sink.js'
import type { ExactTime } from '../../records/parse-time.js'
import { MsgpackExtension, MsgpackReader } from '../msgpack-reader.js'

/** An entry is a list with the record, which is the first level of what is stored. */
const DEPTH_MAX = 33
const EVENT_TIME = 0
/** The field of an entry's record that the tag becomes. */
const TAG_FIELD = 'fluent.tag'
const COMPRESSIONS = ['text', 'gzip'] as const

/** A message of the Forward protocol, https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1 */
export interface ForwardMessage {
  readonly tag: string
  /** The name that the client gave the message, byte for byte; it wants an acknowledgement with it. Undefined when it wants none. */
  readonly chunk: Buffer | undefined
  /** Where the entries are: in the message itself, or packed in `bytes` one after the other. */
  readonly entries:
    | { readonly mode: 'message'; readonly bytes: Buffer }
    | { readonly mode: 'forward'; readonly bytes: Buffer }
    | { readonly mode: 'packed'; readonly bytes: Buffer; readonly compression: (typeof COMPRESSIONS)[number] }
}

/**
 * Reads a message up to its entries. Undefined for `nil`, which some clients send to keep a connection open.
 * @throws DecodeFault
 */
export function readMessage(bytes: Buffer): ForwardMessage | undefined {
  if (bytes[0] === 0xc0) return undefined
  const reader = new MsgpackReader(bytes, createNotes(), DEPTH_MAX)
  const length = reader.arrayLength()
  if (length === undefined || length < 2 || length > 4)
    throw new DecodeFault('invalid_record', 'a message must be a list of tag, entries and options')
  const tag = reader.value()
  if (typeof tag !== 'string') throw new DecodeFault('invalid_record', 'the tag must be a string')
  const second = reader.rawValue()
  const kind = second[0] as number
  const isList = (kind & 0xf0) === 0x90 || kind === 0xdc || kind === 0xdd
  const isPacked = (kind & 0xe0) === 0xa0 || (kind >= 0xd9 && kind <= 0xdb) || (kind >= 0xc4 && kind <= 0xc6)
  if (isList || isPacked) {
    const { chunk, compression } = readOptions(reader, length > 2)
    if (isList) return { tag, chunk, entries: { mode: 'forward', bytes: second } }
    const packed = new MsgpackReader(second, createNotes(), DEPTH_MAX).rawText() as Buffer
    return { tag, chunk, entries: { mode: 'packed', bytes: packed, compression } }
  }
  if (length < 3) throw new DecodeFault('invalid_record', 'a message with a time must have a record')
  const entry = Buffer.concat([Buffer.from([0x92]), second, reader.rawValue()])
  return { tag, chunk: readOptions(reader, length > 3).chunk, entries: { mode: 'message', bytes: entry } }
}

function readOptions(reader: MsgpackReader, hasOptions: boolean) {
  const none = { chunk: undefined, compression: 'text' as const }
  if (!hasOptions) return none
  const raw = reader.rawValue()
  const options = new MsgpackReader(raw, createNotes(), DEPTH_MAX).value()
  if (options === null) return none
  if (!isMembers(options) || options instanceof MsgpackExtension)
    throw new DecodeFault('invalid_record', 'the options of a message must be an object')
  const compression = COMPRESSIONS.find((one) => one === (options.compressed ?? 'text'))
  if (compression === undefined) throw new DecodeFault('unsupported', 'entries can be compressed with gzip only')
  return { chunk: options.chunk === undefined || options.chunk === null ? undefined : findChunk(raw), compression }
}

/** The bytes of the option `chunk`: as text they might be changed. */
function findChunk(options: Buffer): Buffer | undefined {
  const first = options[0] as number
  const size = first <= 0x8f ? first & 0x0f : first === 0xde ? options.readUInt16BE(1) : options.readUInt32BE(1)
  const start = first <= 0x8f ? 1 : first === 0xde ? 3 : 5
  const reader = new MsgpackReader(options.subarray(start), createNotes(), DEPTH_MAX)
  for (let index = 0; index < size; index++) {
    const name = reader.value()
    if (name === 'chunk') return reader.rawText()
    reader.skip()
  }
  return undefined
}

/**
 * Gives each entry of a message a verdict. `bytes` is `entries.bytes` of the message, decompressed. In a packed message an entry whose end cannot be found
 * ends the message: it is refused, and with it what follows.
 */
export function addEntries(tag: string, { mode, bytes }: { mode: string; bytes: Buffer }, sink: LogSink): void {
  const reader = new MsgpackReader(bytes, createNotes(), DEPTH_MAX)
  let left = Number.POSITIVE_INFINITY
  if (mode === 'forward') left = reader.arrayLength() ?? 0
  for (let index = 0; index < left && !reader.isAtEnd; index++) {
    reader.notes = createNotes()
    let entry: Buffer
    try {
      entry = reader.rawValue()
    } catch (error) {
      sink.reject(index, readFault(error).code, `the entries cannot be read from here on: ${readFault(error).reason}`)
      return
    }
    try {
      sink.add(readEntry(entry, tag))
    } catch (error) {
      const { code, reason } = readFault(error)
      sink.reject(index, code, reason)
    }
  }
}

function readEntry(bytes: Buffer, tag: string): LogRecord {
  const notes = createNotes()
  const reader = new MsgpackReader(bytes, notes, DEPTH_MAX)
  const length = reader.arrayLength()
  if (length === undefined || length < 2)
    throw new DecodeFault('invalid_record', 'an entry must be a list of time and record')
  const { time, metadata } = readEntryTime(reader.rawValue(), notes)
  const record = reader.value(1)
  if (!isMembers(record) || record instanceof MsgpackExtension)
    throw new DecodeFault('not_an_object', 'the record of an entry must be an object')
  return toLogRecord(record, { tag, time, metadata, notes })
}

/** An integer of seconds, an EventTime with nanoseconds, or a list of one of them and metadata (Fluent Bit). */
function readEntryTime(bytes: Buffer, notes: DecodeNotes): { time: ExactTime | undefined; metadata: Members } {
  const reader = new MsgpackReader(bytes, notes, DEPTH_MAX)
  const first = bytes[0] as number
  const isList = (first & 0xf0) === 0x90
  if (isList) reader.arrayLength()
  const value = reader.value()
  const metadata = isList && !reader.isAtEnd ? reader.value() : undefined
  return { time: toTime(value), metadata: isMembers(metadata) ? metadata : createMembers() }
}

function toTime(value: unknown): ExactTime | undefined {
  if (value instanceof MsgpackExtension) {
    if (value.type !== EVENT_TIME || value.data.length !== 8)
      throw new DecodeFault('invalid_record', 'the time of an entry must be an EventTime or a number of seconds')
    const nanos = value.data.readUInt32BE(4)
    return { ms: value.data.readUInt32BE(0) * 1000 + Math.floor(nanos / 1e6), subNs: nanos % 1e6 }
  }
  if (typeof value === 'number' && value > 0 && value < 1e11)
    return { ms: Math.floor(value * 1000), subNs: Math.round((value * 1000 - Math.floor(value * 1000)) * 1e6) % 1e6 }
  if (value === 0 || value === null) return undefined
  throw new DecodeFault('invalid_record', 'the time of an entry must be an EventTime or a number of seconds')
}

interface Origin {
  readonly tag: string
  readonly time: ExactTime | undefined
  readonly metadata: Members
  readonly notes: DecodeNotes
}

/** The line gets the time of the entry. Fields of the record with names such as `time` become attributes. */
function toLogRecord(fields: Members, { tag, time, metadata, notes }: Origin): LogRecord {
  const kept = time === undefined ? createMembers() : setAside(fields, 'time')
  const record = recordOfFields(fields, notes)
  const attributes = Object.assign(record.attributes as Members, kept)
  for (const name in metadata) attributes[name in attributes ? `metadata.${name}` : name] = metadata[name]
  if (tag !== '' && !(TAG_FIELD in attributes)) attributes[TAG_FIELD] = tag
  return {
    ...record,
    service: record.service || containerOf(fields) || tag,
    ...(time !== undefined && { timeMs: time.ms, timeSubNs: time.subNs }),
    attributes,
  }
}

/** The name of the container where the Kubernetes filters of Fluent Bit and Fluentd put it. */
function containerOf({ kubernetes }: Members): string {
  const name = isMembers(kubernetes) ? kubernetes.container_name : undefined
  return typeof name === 'string' ? name : ''
}
