/**
 * The fields that the validator reads. Each wire maps its own names to them (EventFormat.fields), and may keep up to FORMAT_FIELDS_MAX
 * further fields of its own, numbered from FORMAT_FIELD on.
 */
export const FIELD = {
  event: 0,
  messageId: 1,
  userId: 2,
  anonymousId: 3,
  timestamp: 4,
  sentAt: 5,
  properties: 6,
  context: 7,
  originalTimestamp: 8,
  receivedAt: 9,
} as const

/** Number of the first field that belongs to the wire. */
export const FORMAT_FIELD = 10
export const FORMAT_FIELDS_MAX = 8
const FIELDS = FORMAT_FIELD + FORMAT_FIELDS_MAX

/** Words of one row of an EventTable. All offsets are into the request's bytes. */
export const ROW = {
  start: 0,
  end: 1,
  /** Bits of SCAN_FLAG and ROW_FLAG. */
  flags: 2,
  members: 3,
  depth: 4,
  escapes: 5,
  /** Two words for each field: start and end of its value. Start 0 means that the field is absent, because no value begins at 0. */
  fields: 6,
  /** One word for each watched property: the start of its value, or 0. */
  watched: 6 + 2 * FIELDS,
} as const
export const ROW_WORDS = 66
/** How many property names can be watched while scanning. The same for every wire, however many fields it has. */
export const WATCHED_SLOTS = ROW_WORDS - ROW.watched

/** Flags of a row, besides those of the scanner. */
export const ROW_FLAG = {
  /** The value is not an object. `end` is known. */
  notObject: 256,
  /** A line of NDJSON that is not JSON. `end` is the end of the line. */
  malformed: 512,
} as const

/** The scanned events of one request, a row of offsets each. Row 0 is the envelope, or the event if the body is a single one. */
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
