import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import { createNotes, type DecodeNotes } from '../../fields/decode-notes.js'
import { MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogSink } from '../../records/log-sink.js'
import type { ExactTime } from '../../records/parse-time.js'
import { type ByteRange, ProtobufReader, WIRE } from '../protobuf-reader.js'
import { toLogRecord } from './loki-record.js'
import { parseLabels } from './parse-labels.js'

// Field numbers of logproto.PushRequest.
const REQUEST = { streams: 1 }
const STREAM = { labels: 1, entries: 2 }
const ENTRY = { timestamp: 1, line: 2, metadata: 3 }
const TIMESTAMP = { seconds: 1, nanos: 2 }
const LABEL = { name: 1, value: 2 }

interface Stream {
  readonly labels: string
  readonly entries: readonly ByteRange[]
  readonly notes: DecodeNotes
}

/**
 * Gives each entry of a PushRequest in protobuf (already decompressed) a verdict, in the order of the request. Labels that cannot be parsed concern
 * all entries of their stream.
 * @throws DecodeFault when the messages around the entries are broken; then no verdict was given
 */
export function decodeLoki(body: Buffer, sink: LogSink): void {
  const streams = findStreams(body)
  let index = 0
  for (const { labels, entries, notes } of streams) {
    const parsed = tryLabels(labels)
    for (const range of entries) {
      try {
        if (parsed instanceof DecodeFault) throw parsed
        sink.add(readEntry(new ProtobufReader(body, { ...notes }, range), parsed))
      } catch (error) {
        const { code, reason } = readFault(error)
        sink.reject(index, code, reason)
      }
      index++
    }
  }
}

/** The labels, or the fault as a value. */
export function tryLabels(text: string): Members | DecodeFault {
  try {
    return parseLabels(text)
  } catch (error) {
    if (error instanceof DecodeFault) return error
    throw error
  }
}

function findStreams(body: Buffer): Stream[] {
  const streams: Stream[] = []
  const request = new ProtobufReader(body, createNotes())
  while (request.next()) {
    if (request.field !== REQUEST.streams || request.wire !== WIRE.bytes) request.skip()
    else streams.push(readStream(new ProtobufReader(body, createNotes(), request.range())))
  }
  return streams
}

function readStream(reader: ProtobufReader): Stream {
  let labels = '{}'
  const entries: ByteRange[] = []
  while (reader.next()) {
    if (reader.wire !== WIRE.bytes) reader.skip()
    else if (reader.field === STREAM.labels) labels = reader.string()
    else if (reader.field === STREAM.entries) entries.push(reader.range())
    else reader.skip()
  }
  return { labels, entries, notes: reader.notes }
}

function readEntry(reader: ProtobufReader, labels: Members) {
  let time: ExactTime | undefined
  let line = ''
  const metadata = new MemberAdder()
  while (reader.next()) {
    if (reader.wire !== WIRE.bytes) reader.skip()
    else if (reader.field === ENTRY.line) line = reader.string()
    else if (reader.field === ENTRY.timestamp) time = readTimestamp(reader.message())
    else if (reader.field === ENTRY.metadata) readLabel(reader.message(), metadata)
    else reader.skip()
  }
  if (metadata.isRepeated) reader.notes.isRepeated = true
  return toLogRecord(labels, { time, line, metadata: metadata.members }, reader.notes)
}

function readTimestamp(reader: ProtobufReader): ExactTime {
  let seconds: number | string = 0
  let nanos: number | string = 0
  while (reader.next()) {
    if (reader.field === TIMESTAMP.seconds && reader.wire === WIRE.varint) seconds = reader.int64()
    else if (reader.field === TIMESTAMP.nanos && reader.wire === WIRE.varint) nanos = reader.int64()
    else reader.skip()
  }
  // google.protobuf.Timestamp: years 1 to 9999, and nanoseconds that count forward.
  if (typeof seconds !== 'number' || Math.abs(seconds) >= 1e12) throw outOfRange()
  if (typeof nanos !== 'number' || nanos < 0 || nanos >= 1e9) throw outOfRange()
  return { ms: seconds * 1000 + Math.floor(nanos / 1e6), subNs: nanos % 1e6 }
}

function outOfRange(): DecodeFault {
  return new DecodeFault('invalid_record', 'the timestamp is out of range')
}

function readLabel(reader: ProtobufReader, into: MemberAdder): void {
  let name = ''
  let value = ''
  while (reader.next()) {
    if (reader.wire !== WIRE.bytes) reader.skip()
    else if (reader.field === LABEL.name) name = reader.string()
    else if (reader.field === LABEL.value) value = reader.string()
    else reader.skip()
  }
  into.add(name, value)
}
