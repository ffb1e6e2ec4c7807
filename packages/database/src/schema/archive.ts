import { bigint, date, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
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
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.stream, table.day, table.seq] })],
)
