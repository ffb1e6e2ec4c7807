import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import type { DecodeNotes } from '../../fields/decode-notes.js'
import { isMembers } from '../../fields/log-fields.js'
import { createMembers, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import type { LogSink } from '../../records/log-sink.js'
import { type ExactTime, fromNanoseconds, parseTime } from '../../records/parse-time.js'
import { decodeJson, notesOfItem } from '../json-lines.js'
import { tryLabels } from './decode.js'
import { toLogRecord } from './loki-record.js'

/** The request, its lists and its entries are four levels above the values of structured metadata. */
const DEPTH_MAX = 40

/**
 * The same for the JSON form: `{"streams":[{"stream":{…},"values":[["<ns>","<line>",{…}]]}]}`, and the older form with `labels` and `entries`.
 * @throws DecodeFault when the body does not have this form, so that the entries cannot be told apart; then no verdict was given
 */
export function decodeLokiJson(body: Buffer, sink: LogSink): void {
  const { value, notes } = decodeJson(body, DEPTH_MAX)
  const list = isMembers(value) ? value.streams : undefined
  if (!Array.isArray(list)) throw new DecodeFault('invalid_record', 'the body must be an object with a list of streams')
  let index = 0
  for (const { labels, entries } of list.map(readStream)) {
    for (const entry of entries) {
      try {
        if (labels instanceof DecodeFault) throw labels
        sink.add(readEntry(entry, labels, notes))
      } catch (error) {
        const { code, reason } = readFault(error)
        sink.reject(index, code, reason)
      }
      index++
    }
  }
}

function readStream(stream: unknown): { labels: Members | DecodeFault; entries: readonly unknown[] } {
  const entries = isMembers(stream) ? (stream.values ?? stream.entries ?? []) : undefined
  if (!isMembers(stream) || !Array.isArray(entries))
    throw new DecodeFault('invalid_record', 'a stream must be an object with a list of values')
  if (typeof stream.labels === 'string') return { labels: tryLabels(stream.labels), entries }
  const labels = stream.stream ?? {}
  return { labels: isMembers(labels) ? labels : new DecodeFault('invalid_record', 'stream must be an object'), entries }
}

function readEntry(entry: unknown, labels: Members, notes: DecodeNotes): LogRecord {
  const { time, line, metadata } = Array.isArray(entry) ? readPair(entry) : readObject(entry)
  if (typeof line !== 'string') throw new DecodeFault('invalid_record', 'the line must be a string')
  if (time === undefined)
    throw new DecodeFault('invalid_record', 'the time must be a whole number of nanoseconds since 1970, as a string')
  if (!isMembers(metadata)) throw new DecodeFault('invalid_record', 'structured metadata must be an object')
  return toLogRecord(labels, { time, line, metadata }, notesOfItem([entry, labels], notes))
}

interface Parts {
  readonly time: ExactTime | undefined
  readonly line: unknown
  readonly metadata: unknown
}

function readPair([time, line, metadata]: readonly unknown[]): Parts {
  const isNumber = typeof time === 'string' || typeof time === 'number'
  return { time: isNumber ? fromNanoseconds(String(time)) : undefined, line, metadata: metadata ?? createMembers() }
}

function readObject(entry: unknown): Parts {
  if (!isMembers(entry)) throw new DecodeFault('not_an_object', 'an entry must be a list of time and line')
  const { ts, timestamp, line, structuredMetadata } = entry
  return { time: parseTime(ts ?? timestamp), line, metadata: structuredMetadata ?? createMembers() }
}
