/**
 * The payload of a frame of the `events` stream, version 1, before compression.
 *
 * The gateway parses events once and writes them in a form that the consumer does not parse again: the consumer reads 40 bytes of numbers per
 * record and passes the bytes of the rows on to COPY. Numbers are little-endian, except inside rows, which have the big-endian form of
 * PostgreSQL's binary COPY (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format").
 *
 *   header    24 bytes: u32 records, u32 seriesOffset, u32 pointsOffset, u32 talliesOffset, u32 rowsOffset, u32 rowsBytes
 *   side      40 bytes per record, see SIDE
 *   series    u32 count, then count x (u32 bytes, UTF-8 JSON [tenantId, event, property | null, [dimension…], [value | null…]])
 *   points    u32 count, u32 zero, then count x (u32 record, u32 series, f64 value); NaN for a record without a value
 *   tallies   u32 count, then count x (u32 tenantId, u32 accepted, u32 rejected); accepted includes rejected
 *   rows      the rows one after the other, without the field count, partition and position that the consumer adds in front
 */
export const BATCH_HEADER_BYTES = 24
/** Bytes of the side entry of a record: the numbers that the consumer needs without looking at the row. */
export const SIDE_BYTES = 40

/** Byte offsets in the side entry of a record. */
export const SIDE = {
  messageHashLo: 0,
  messageHashHi: 4,
  userHashLo: 8,
  userHashHi: 12,
  /** f64: time of the event in ms since 1970, corrected for the error of the client's clock. */
  timestampMs: 16,
  tenantId: 24,
  /** u32: offset of the row from the start of all rows; it ends where the next row begins. */
  rowOffset: 28,
  /** u16: the series of the tenant and event name, in which every record is counted. */
  series: 32,
  /** u8: index in EVENT_TYPES. */
  type: 34,
  /** u8: bits of FLAG. */
  flags: 35,
} as const

/** Bits of the flags in the side entry of a record. */
export const FLAG = {
  /** $login, $activity, $session_start or $session_end: the consumer also writes to the table of that type. */
  typed: 1,
} as const

/** The types of events. A record holds the index in this list, so the order never changes. */
export const EVENT_TYPES = ['track', 'identify', 'page', 'screen', 'group', 'alias'] as const
/** One of `EVENT_TYPES`. */
export type EventType = (typeof EVENT_TYPES)[number]

/** The columns of `events` in the order of COPY. The consumer adds the first two; the others are the row bytes of a record. */
export const EVENT_COPY_COLUMNS = [
  'partition',
  'position',
  'user_hash',
  'timestamp',
  'received_at',
  'tenant_id',
  'type',
  'message_id',
  'event',
  'user_id',
  'anonymous_id',
  'properties',
  'context',
] as const

/** Bytes of user_hash, timestamp, received_at, tenant_id and type in a row, each with four bytes for its length. */
export const ROW_FIXED_BYTES = 12 + 12 + 12 + 8 + 6

/** Milliseconds between 1970-01-01 and 2000-01-01, the epoch of PostgreSQL's binary timestamps (microseconds). */
export const POSTGRES_EPOCH_MS = 946_684_800_000
