import { bigint, boolean, date, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import { bytea } from './column-types.js'

/** The last entry of the hash chain of a tenant, stream and day. */
export const archiveChains = pgTable(
  'archive_chains',
  {
    tenantId: integer('tenant_id').notNull(),
    stream: text('stream').notNull(),
    day: date('day').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    hash: bytea('hash').notNull(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.stream, table.day] })],
)

/** The segments of the archive; `deletedBy` is the entry that says that a segment was deleted. */
export const archiveSegments = pgTable(
  'archive_segments',
  {
    tenantId: integer('tenant_id').notNull(),
    stream: text('stream').notNull(),
    day: date('day').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    hash: bytea('hash').notNull(),
    kind: text('kind').notNull(),
    hour: timestamp('hour', { withTimezone: true }).notNull(),
    records: bigint('records', { mode: 'number' }).notNull(),
    bytes: bigint('bytes', { mode: 'number' }).notNull(),
    firstMs: bigint('first_ms', { mode: 'number' }).notNull(),
    lastMs: bigint('last_ms', { mode: 'number' }).notNull(),
    labels: text('labels').array().notNull(),
    deletedBy: bigint('deleted_by', { mode: 'number' }),
    entry: text('entry').notNull().default(''),
    isRemoved: boolean('is_removed').notNull().default(false),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.stream, table.day, table.seq] })],
)

/** How long segments are kept, by tenant, stream and label; the label '' is all. */
export const archiveRules = pgTable(
  'archive_rules',
  {
    tenantId: integer('tenant_id').notNull(),
    stream: text('stream').notNull(),
    label: text('label').notNull().default(''),
    keptDays: integer('kept_days').notNull(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.stream, table.label] })],
)

/** Legal holds, released ones included. */
export const archiveHolds = pgTable('archive_holds', {
  id: bigint('id', { mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
  tenantId: integer('tenant_id').notNull(),
  stream: text('stream').notNull(),
  fromMs: bigint('from_ms', { mode: 'number' }),
  toMs: bigint('to_ms', { mode: 'number' }),
  reason: text('reason').notNull(),
  placedAt: timestamp('placed_at', { withTimezone: true }).notNull().defaultNow(),
  releasedAt: timestamp('released_at', { withTimezone: true }),
})

/** How far the archive of each stream is. */
export const archiveStatus = pgTable('archive_status', {
  stream: text('stream').primaryKey(),
  checkedAt: timestamp('checked_at', { withTimezone: true }).notNull().defaultNow(),
  pendingRecords: bigint('pending_records', { mode: 'number' }).notNull(),
  oldestPendingAt: timestamp('oldest_pending_at', { withTimezone: true }),
  isLate: boolean('is_late').notNull(),
  reason: text('reason'),
})

/** Days of `log_chunks` that retention leaves until a time, because they were restored from the archive. */
export const logRestoredDays = pgTable('log_restored_days', {
  day: date('day').primaryKey(),
  keptUntil: timestamp('kept_until', { withTimezone: true }).notNull(),
})
