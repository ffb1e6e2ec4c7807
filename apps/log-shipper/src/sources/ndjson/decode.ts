import { DecodeFault, readFault } from '../../fields/decode-fault.js'
import type { DecodeNotes } from '../../fields/decode-notes.js'
import { isMembers, recordOfFields } from '../../fields/log-fields.js'
import type { LogSink } from '../../records/log-sink.js'
import { decodeJson, forEachLine, isBlank, JSON_DEPTH_MAX, notesOfItem } from '../json-lines.js'

const OPENING_BRACKET = 0x5b
const BYTE_ORDER_MARK = Buffer.from('\ufeff')

/** Reads a body of NDJSON, or of one JSON array, and hands each line to the sink. Blank lines do not count. */
export function decodeNdjson(body: Buffer, sink: LogSink): void {
  const bytes = body.subarray(0, 3).equals(BYTE_ORDER_MARK) ? body.subarray(3) : body
  const items = readArray(bytes)
  if (items === undefined) {
    let index = 0
    forEachLine(bytes, (line) => {
      if (isBlank(line)) return
      addItem(() => decodeJson(line), index, sink)
      index++
    })
  } else for (const [index, item] of items.entries()) addItem(() => item, index, sink)
}

interface Item {
  readonly value: unknown
  readonly notes: DecodeNotes
}

/** The items of a body that is one array; undefined when it is none. */
function readArray(bytes: Buffer): Item[] | undefined {
  if (bytes.find((byte) => byte > 0x20) !== OPENING_BRACKET) return undefined
  try {
    const { value, notes } = decodeJson(bytes, JSON_DEPTH_MAX + 1)
    return Array.isArray(value) ? value.map((item) => ({ value: item, notes: notesOfItem(item, notes) })) : undefined
  } catch (error) {
    readFault(error)
    return undefined
  }
}

function addItem(read: () => Item, index: number, sink: LogSink): void {
  try {
    const { value, notes } = read()
    if (!isMembers(value)) throw new DecodeFault('not_an_object', 'the line is not a JSON object')
    sink.add(recordOfFields(value, notes))
  } catch (error) {
    const { code, reason } = readFault(error)
    sink.reject(index, code, reason)
  }
}
