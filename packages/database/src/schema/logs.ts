import { sql } from 'drizzle-orm'
import { bigint, integer, pgTable, primaryKey, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { bytea, xid8 } from './column-types.js'

/** Log lines in compressed columns, partitioned by day. */
export const logChunks = pgTable('log_chunks', {
  tenantId: integer('tenant_id').notNull(),
  day: timestamp('day', { withTimezone: true }).notNull(),
  chunkId: bigint('chunk_id', { mode: 'number' }).notNull().default(sql`nextval('log_chunk_ids')`),
  firstMs: bigint('first_ms', { mode: 'number' }).notNull(),
  lastMs: bigint('last_ms', { mode: 'number' }).notNull(),
  lines: integer('lines').notNull(),
  levels: smallint('levels').notNull(),
  services: text('services').array().notNull(),
  /** Of chunks that an older version wrote. */
  data: bytea('data'),
  head: bytea('head'),
  minutes: bytea('minutes'),
  filter: bytea('filter'),
  filterGroup: bigint('filter_group', { mode: 'number' }),
  filterSlot: smallint('filter_slot'),
  groupFilter: bytea('group_filter'),
  segTime: bytea('seg_time'),
  segMeta: bytea('seg_meta'),
  segPlace: bytea('seg_place'),
  segTrace: bytea('seg_trace'),
  segSpan: bytea('seg_span'),
  segMessage: bytea('seg_message'),
  segMessageVariables: bytea('seg_message_variables'),
  segAttributes: bytea('seg_attributes'),
  storedAt: timestamp('stored_at', { withTimezone: true }).notNull().defaultNow(),
  archiveState: smallint('archive_state').notNull().default(0),
})

/** The last frame of each producer whose lines are in `log_chunks`. */
export const logFlushed = pgTable(
  'log_flushed',
  {
    groupName: text('group_name').notNull(),
    stream: text('stream').notNull(),
    partition: smallint('partition').notNull(),
    producer: uuid('producer').notNull(),
    lastSequence: bigint('last_sequence', { mode: 'number' }).notNull(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.groupName, table.stream, table.partition, table.producer] })],
)

/** The rules for the log lines of tenants, a row for each version. */
export const logTransforms = pgTable(
  'log_transforms',
  {
    tenantId: integer('tenant_id').notNull(),
    version: integer('version').notNull(),
    document: text('document').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    createdBy: text('created_by').notNull(),
    changedXid: xid8('changed_xid').notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.version] })],
)
