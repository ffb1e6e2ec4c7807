import type { DecodeNotes } from '../fields/decode-notes.js'
import { JsonReader } from '../fields/json-reader.js'
import { containsReplacement, decodeText } from './repaired-text.js'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
/** How deep attributes may be nested: RECORD_LIMITS.depthMax; the object itself is the first level. */
export const JSON_DEPTH_MAX = 32

/** A decoded JSON text. */
export interface DecodedJson {
  readonly value: unknown
  readonly notes: DecodeNotes
}

/**
 * Decodes UTF-8 and JSON.
 * @throws DecodeFault invalid_json
 */
export function decodeJson(bytes: Buffer, depthMax = JSON_DEPTH_MAX): DecodedJson {
  const { text, isRepaired } = decodeText(bytes)
  const reader = new JsonReader(text, depthMax)
  const value = reader.read()
  if (isRepaired) reader.notes.isRepaired = true
  return { value, notes: reader.notes }
}

/** The notes of one item of a list that was decoded as a whole: only an item with U+FFFD can be the one that was repaired. */
export function notesOfItem(item: unknown, notes: DecodeNotes): DecodeNotes {
  return { ...notes, isRepaired: notes.isRepaired && containsReplacement(item) }
}

/** Calls `take` with each line, without its line feed and the carriage return before it. The last line may lack the line feed. */
export function forEachLine(body: Buffer, take: (line: Buffer) => void): void {
  for (let start = 0; start < body.length; ) {
    const feed = body.indexOf(LINE_FEED, start)
    const next = feed < 0 ? body.length : feed
    const end = next > start && body[next - 1] === CARRIAGE_RETURN ? next - 1 : next
    take(body.subarray(start, end))
    start = next + 1
  }
}

/** Whether a line has no byte that can be seen. */
export function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte > 0x20) return false
  return true
}
