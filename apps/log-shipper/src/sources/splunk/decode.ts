import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import { createNotes, type DecodeNotes } from '../../fields/decode-notes.js'
import { JsonReader } from '../../fields/json-reader.js'
import { isMembers, recordOfFields, setAside } from '../../fields/log-fields.js'
import { createMembers, MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import type { LogSink } from '../../records/log-sink.js'
import { parseTime } from '../../records/parse-time.js'
import { forEachLine, isBlank, JSON_DEPTH_MAX, notesOfItem } from '../json-lines.js'
import { decodeText } from '../repaired-text.js'

/** What an event says about itself besides its text, in its envelope or in the query of a raw request. Values of JSON. */
export interface SplunkMetadata {
  readonly time?: unknown
  readonly host?: unknown
  readonly source?: unknown
  readonly sourcetype?: unknown
  readonly index?: unknown
}

/** Why events were refused, in words of Splunk. */
export const SPLUNK_FAULTS = {
  required: 'Event field is required',
  blank: 'Event field cannot be blank',
  fields: 'Error in handling indexed fields',
  format: 'Invalid data format',
} as const

/** An envelope, and the list that may be around all of them. */
const DEPTH_MAX = JSON_DEPTH_MAX + 2

/**
 * Gives each event of a body a verdict: JSON objects one after the other, with or without spaces between them, or in a list. JSON that is broken ends the
 * body: the event is refused, and with it what follows. Returns the number of events.
 */
export function decodeSplunkEvents(body: Buffer, sink: LogSink): number {
  const { text, isRepaired } = decodeText(body)
  const reader = new JsonReader(text, DEPTH_MAX)
  let index = 0
  try {
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      const notes = { ...reader.notes, isRepaired: reader.notes.isRepaired || isRepaired }
      for (const item of Array.isArray(next.value) ? next.value : [next.value])
        addEvent(item, notesOfItem(item, notes), { index: index++, sink })
    }
  } catch (error) {
    const { code, reason } = readFault(error)
    sink.reject(index++, code, `${SPLUNK_FAULTS.format}: ${reason}`)
  }
  return index
}

/** Reads a raw body: each line that is not blank is an event. Returns their number. */
export function decodeSplunkRaw(body: Buffer, metadata: SplunkMetadata, sink: LogSink): number {
  let count = 0
  forEachLine(body, (line) => {
    if (isBlank(line)) return
    const { text, isRepaired } = decodeText(line)
    sink.add(toLogRecord(text, createMembers(), { metadata, notes: { ...createNotes(), isRepaired } }))
    count++
  })
  return count
}

function addEvent(
  envelope: unknown,
  notes: DecodeNotes,
  { index, sink }: { readonly index: number; readonly sink: LogSink },
): void {
  try {
    if (!isMembers(envelope)) throw new DecodeFault('not_an_object', `${SPLUNK_FAULTS.format}: not an object`)
    const { event, fields = createMembers() } = envelope
    if (event === undefined || event === null) throw new DecodeFault('invalid_record', SPLUNK_FAULTS.required)
    if (event === '') throw new DecodeFault('invalid_record', SPLUNK_FAULTS.blank)
    if (fields !== null && !isMembers(fields)) throw new DecodeFault('invalid_record', SPLUNK_FAULTS.fields)
    sink.add(toLogRecord(event, fields ?? createMembers(), { metadata: envelope, notes }))
  } catch (error) {
    const { code, reason } = readFault(error)
    sink.reject(index, code, reason)
  }
}

/**
 * The record of an event: an object has its fields, anything else is the message. Indexed fields are attributes, or the fields of a line that they name.
 * Time and host of the envelope count before those of the event.
 */
function toLogRecord(
  event: unknown,
  indexed: Members,
  { metadata, notes }: { readonly metadata: SplunkMetadata; readonly notes: DecodeNotes },
): LogRecord {
  const adder = new MemberAdder(isMembers(event) ? unwrap(event) : createMembers())
  for (const name in indexed) adder.add(name, indexed[name])
  const { members } = adder
  const time = parseTime(metadata.time)
  const isText = !isMembers(event)
  // They are attributes, whatever they are called: the wire has the time, and for a text the message, apart from the fields.
  const kept = isText ? setAside(members, 'time and message') : time === undefined ? {} : setAside(members, 'time')
  const record = recordOfFields(members, { ...notes, isRepeated: notes.isRepeated || adder.isRepeated })
  const attributes = Object.assign(record.attributes, kept) as Members
  for (const name of ['source', 'sourcetype', 'index'] as const) {
    const value = metadata[name]
    if (value !== undefined && value !== null && value !== '')
      attributes[name in attributes ? `splunk.${name}` : name] = value
  }
  if (time === undefined && metadata.time !== undefined && metadata.time !== null)
    attributes['splunk.time'] = metadata.time
  return {
    ...record,
    ...(isText && { message: typeof event === 'string' ? event : JSON.stringify(event) }),
    ...(time !== undefined && { timeMs: time.ms, timeSubNs: time.subNs }),
    service: record.service || toName(metadata.source),
    host: toName(metadata.host) || record.host,
    attributes,
  }
}

/** Splunk's own libraries put the object that was logged into `message`, beside the level; its fields are those of the line. */
function unwrap(event: Members): Members {
  const { message, ...others } = event
  if (!isMembers(message) || Object.keys(others).some((name) => name !== 'severity')) return event
  const adder = new MemberAdder(message)
  if ('severity' in others) adder.add('severity', others.severity)
  return adder.members
}

function toName(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
