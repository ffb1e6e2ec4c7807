import { DecodeFault } from '../../fields/decode-fault.js'
import { createNotes, type DecodeNotes } from '../../fields/decode-notes.js'
import { recordOfFields, setAside } from '../../fields/log-fields.js'
import { MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import type { LogSink } from '../../records/log-sink.js'
import { fromNanoseconds } from '../../records/parse-time.js'
import { decodeText } from '../repaired-text.js'

const LINE_FEED = 0x0a
const EQUALS = 0x3d
const LENGTH_BYTES = 8
/** When the sender wrote the entry, and when journald received it; the first counts. Both in microseconds since 1970. */
const TIMES = ['_SOURCE_REALTIME_TIMESTAMP', '__REALTIME_TIMESTAMP']

/**
 * Reads entries of the Journal Export Format, https://systemd.io/JOURNAL_EXPORT_FORMATS/: fields as `NAME=text` lines, or as a name, a length of 64 bits and that many
 * bytes. A blank line ends an entry.
 * @throws DecodeFault when a field is cut off or its length is wrong, since the entries cannot be told apart any more; then no verdict was given
 */
export function decodeJournal(body: Buffer, sink: LogSink): void {
  const records: LogRecord[] = []
  let fields = new MemberAdder()
  let notes = createNotes()
  const endEntry = () => {
    if (Object.keys(fields.members).length > 0) records.push(toLogRecord(fields, notes))
    fields = new MemberAdder()
    notes = createNotes()
  }
  for (let position = 0; position < body.length; ) {
    const feed = body.indexOf(LINE_FEED, position)
    const end = feed < 0 ? body.length : feed
    if (end === position) {
      endEntry()
      position++
      continue
    }
    const field = readField(body, position, end)
    if (field.isRepaired) notes.isRepaired = true
    fields.add(field.name, field.text)
    position = field.next
  }
  endEntry()
  for (const record of records) sink.add(record)
}

interface Field {
  readonly name: string
  readonly text: string
  readonly isRepaired: boolean
  /** Where the next line begins. */
  readonly next: number
}

function readField(body: Buffer, start: number, end: number): Field {
  const equals = body.subarray(start, end).indexOf(EQUALS)
  if (equals >= 0) {
    const name = decodeText(body, start, start + equals)
    const value = decodeText(body, start + equals + 1, end)
    return { name: name.text, text: value.text, isRepaired: name.isRepaired || value.isRepaired, next: end + 1 }
  }
  const name = decodeText(body, start, end)
  const lengthAt = end + 1
  if (lengthAt + LENGTH_BYTES > body.length) throw fault(lengthAt, 'the length of a field is cut off')
  const length = body.readBigUInt64LE(lengthAt)
  const valueAt = lengthAt + LENGTH_BYTES
  if (length > BigInt(body.length - valueAt)) throw fault(lengthAt, 'a field is longer than the body')
  const valueEnd = valueAt + Number(length)
  if (valueEnd < body.length && body[valueEnd] !== LINE_FEED) throw fault(valueEnd, 'a line feed is expected')
  const value = decodeText(body, valueAt, valueEnd)
  return { name: name.text, text: value.text, isRepaired: name.isRepaired || value.isRepaired, next: valueEnd + 1 }
}

function fault(at: number, reason: string): DecodeFault {
  return new DecodeFault('invalid_record', `not a valid journal at byte ${at}: ${reason}`)
}

function toLogRecord({ members, isRepeated }: MemberAdder, notes: DecodeNotes): LogRecord {
  const time = TIMES.map((name) => members[name])
    .filter((value): value is string => typeof value === 'string' && /^\d{1,17}$/.test(value))
    .map((value) => fromNanoseconds(`${value}000`))[0]
  const kept = setAside(members, 'time')
  const record = recordOfFields(members, { ...notes, isRepeated })
  const attributes = Object.assign(record.attributes, kept) as Members
  const unit = attributes._SYSTEMD_UNIT
  return {
    ...record,
    timeMs: time?.ms,
    timeSubNs: time?.subNs ?? 0,
    service: record.service || (typeof unit === 'string' ? unit : ''),
    attributes,
  }
}
