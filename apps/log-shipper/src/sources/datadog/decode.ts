import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import type { DecodeNotes } from '../../fields/decode-notes.js'
import { createNotes } from '../../fields/decode-notes.js'
import { JsonReader } from '../../fields/json-reader.js'
import { isMembers } from '../../fields/log-fields.js'
import type { LogSink } from '../../records/log-sink.js'
import { forEachLine, isBlank, JSON_DEPTH_MAX, notesOfItem } from '../json-lines.js'
import { decodeText } from '../repaired-text.js'
import { type DatadogDefaults, isProbe, toLogRecord, toTextRecord } from './datadog-record.js'

/**
 * Reads a body of JSON: a list of logs, one log, or several one after the other. A single empty object is the question of an agent whether it may send, and
 * no log.
 * @throws DecodeFault when the body is not JSON; then no verdict was given
 */
export function decodeDatadogJson(body: Buffer, defaults: DatadogDefaults, sink: LogSink): void {
  const logs = readLogs(body)
  if (logs.length === 1 && isProbe(logs[0]?.value)) return
  for (const [index, { value, notes }] of logs.entries()) {
    try {
      sink.add(readLog(value, defaults, notes))
    } catch (error) {
      const { code, reason } = readFault(error)
      sink.reject(index, code, reason)
    }
  }
}

/** Reads a body of text: each line that is not blank is a log. */
export function decodeDatadogText(body: Buffer, defaults: DatadogDefaults, sink: LogSink): void {
  forEachLine(body, (line) => {
    if (isBlank(line)) return
    const { text, isRepaired } = decodeText(line)
    sink.add(toTextRecord(text, defaults, { ...createNotes(), isRepaired }))
  })
}

interface Log {
  readonly value: unknown
  readonly notes: DecodeNotes
}

function readLogs(body: Buffer): Log[] {
  const { text, isRepaired } = decodeText(body)
  const reader = new JsonReader(text, JSON_DEPTH_MAX + 1)
  const logs: Log[] = []
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    const notes = { ...reader.notes, isRepaired: reader.notes.isRepaired || isRepaired }
    const items = Array.isArray(next.value) ? next.value : [next.value]
    for (const value of items) logs.push({ value, notes: notesOfItem(value, notes) })
  }
  return logs
}

function readLog(value: unknown, defaults: DatadogDefaults, notes: DecodeNotes) {
  if (typeof value === 'string') return toTextRecord(value, defaults, notes)
  if (!isMembers(value)) throw new DecodeFault('not_an_object', 'a log must be a JSON object')
  return toLogRecord(value, defaults, notes)
}
