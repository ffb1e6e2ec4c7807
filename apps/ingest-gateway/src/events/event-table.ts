/** What an event is made of on the wire, and on the way what an envelope around events may hold. */
export const FIELD = {
  type: 0,
  event: 1,
  messageId: 2,
  userId: 3,
  anonymousId: 4,
  timestamp: 5,
  originalTimestamp: 6,
  sentAt: 7,
  properties: 8,
  traits: 9,
  context: 10,
  name: 11,
  category: 12,
  groupId: 13,
  previousId: 14,
  batch: 15,
  writeKey: 16,
} as const
const FIELDS = 17

/** How the fields are spelled. Segment's SDKs write camel case; the answers of our own API snake case, so that is taken as well. */
export const fieldNames: readonly (readonly [name: string, field: number])[] = [
  ...Object.entries(FIELD),
  ['message_id', FIELD.messageId],
  ['user_id', FIELD.userId],
  ['anonymous_id', FIELD.anonymousId],
  ['sent_at', FIELD.sentAt],
  ['original_timestamp', FIELD.originalTimestamp],
  ['group_id', FIELD.groupId],
  ['previous_id', FIELD.previousId],
]

/** Words of one row of an EventTable. All offsets are into the request's bytes. */
export const ROW = {
  start: 0,
  end: 1,
  /** Bits of MARK and ROW_MARK. */
  marks: 2,
  members: 3,
  depth: 4,
  escapes: 5,
  /** Two words a field, start and end of its value; start 0 says that it is absent (no value begins at 0). */
  fields: 6,
  /** One word a watched property: the start of its value, or 0. */
  watched: 6 + 2 * FIELDS,
} as const
export const ROW_WORDS = 64
/** So many property names can be watched while scanning. */
export const WATCHED_MAX = ROW_WORDS - ROW.watched

/** Marks beyond those of the scanner. */
export const ROW_MARK = {
  /** Some other value than an object. `end` is known. */
  notObject: 256,
  /** A line of NDJSON that is not JSON. `end` is the end of the line. */
  malformed: 512,
} as const

/** The scanned events of one request: a row of offsets each. Row 0 is the envelope, or the event where the body is a single one. */
export class EventTable {
  words = new Int32Array(ROW_WORDS * 128)
  rows = 0

  /** Adds a row of zeros and returns the index of its first word. */
  add(): number {
    const at = this.rows++ * ROW_WORDS
    if (at + ROW_WORDS > this.words.length) {
      const wider = new Int32Array(this.words.length * 2)
      wider.set(this.words)
      this.words = wider
    }
    this.words.fill(0, at, at + ROW_WORDS)
    return at
  }
}
