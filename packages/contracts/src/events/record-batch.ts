/**
 * The payload of a frame of the `events` stream, version 1, before compression.
 *
 * A batch is written once by the gateway, which has parsed the events, so that the consumer need not parse them again: it reads
 * 40 bytes of numbers a record and passes the row's bytes to COPY. Little-endian except inside rows, which are big-endian as
 * PostgreSQL's binary COPY format asks (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format").
 *
 *   header    24 bytes: u32 records, u32 seriesOffset, u32 pointsOffset, u32 talliesOffset, u32 rowsOffset, u32 rowsBytes
 *   side      40 bytes a record, see SIDE
 *   series    u32 count, then count x (u32 bytes, UTF-8 JSON [tenantId, event, property | null, [dimension…], [value | null…]])
 *   points    u32 count, u32 zero, then count x (u32 record, u32 series, f64 value); a NaN value counts the record without a value
 *   tallies   u32 count, then count x (u32 tenantId, u32 accepted, u32 rejected); accepted includes rejected
 *   rows      the fields of one row after another, without the leading field count, partition and position, which the consumer adds
 */
export const BATCH_HEADER_BYTES = 24
export const SIDE_BYTES = 40

/** Offsets inside one record's side entry. */
export const SIDE = {
  messageHashLo: 0,
  messageHashHi: 4,
  userHashLo: 8,
  userHashHi: 12,
  /** f64, ms since the epoch, event time after the correction of the client's clock */
  timestampMs: 16,
  tenantId: 24,
  /** u32, from the start of rows; the row ends where the next one begins */
  rowOffset: 28,
  /** u16, the series of (tenant, event) that every record counts in */
  series: 32,
  /** u8, index in EVENT_TYPES */
  type: 34,
  /** u8, see FLAG */
  flags: 35,
} as const

export const FLAG = {
  /** $login, $activity, $session_start or $session_end: the consumer feeds the typed table as well. */
  typed: 1,
} as const

export const EVENT_TYPES = ['track', 'identify', 'page', 'screen', 'group', 'alias'] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** The columns of `events` in the order of a COPY: the first two are added by the consumer, the others are a record's row bytes. */
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

/** Bytes of a row's fixed part: four length words and values of user_hash, timestamp, received_at, tenant_id, type. */
export const ROW_FIXED_BYTES = 12 + 12 + 12 + 8 + 6

/** Milliseconds between 1970-01-01 and 2000-01-01, the epoch of PostgreSQL's binary timestamps (microseconds). */
export const POSTGRES_EPOCH_MS = 946_684_800_000
