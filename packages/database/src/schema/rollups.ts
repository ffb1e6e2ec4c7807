import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  date,
  doublePrecision,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
} from 'drizzle-orm/pg-core'
import { bytea, xid8 } from './column-types.js'

/** What is aggregated beyond the count for each event name. */
export const rollupDefinitions = pgTable('rollup_definitions', {
  id: integer('id').generatedAlwaysAsIdentity().primaryKey(),
  event: text('event').notNull(),
  dimensions: text('dimensions').array().notNull(),
  property: text('property'),
  activeFrom: timestamp('active_from', { withTimezone: true }).notNull(),
  activeUntil: timestamp('active_until', { withTimezone: true }),
})

/** One event name with the dimension values of a definition; rollups refer to it by id. */
export const rollupSeries = pgTable('rollup_series', {
  id: integer('id').generatedAlwaysAsIdentity().primaryKey(),
  tenantId: integer('tenant_id').notNull(),
  event: text('event').notNull(),
  dimensions: text('dimensions').array().notNull(),
  dimensionValues: text('dimension_values').array().$type<(string | null)[]>().notNull(),
  property: text('property'),
  overflow: boolean('overflow').notNull().default(false),
})

const window = () => ({
  windowStart: timestamp('window_start', { withTimezone: true }).notNull(),
  tenantId: integer('tenant_id').notNull(),
  seriesId: integer('series_id').notNull(),
})

const values = () => ({
  count: bigint('count', { mode: 'number' }).notNull(),
  sum: doublePrecision('sum'),
  sumError: doublePrecision('sum_error'),
  min: doublePrecision('min'),
  max: doublePrecision('max'),
  sketch: bytea('sketch'),
  uniques: bytea('uniques'),
})

/** Absolute values of one stream partition, partitioned by day. */
export const rollups1m = pgTable(
  'rollups_1m',
  { ...window(), partition: smallint('partition').notNull(), ...values() },
  (table) => [primaryKey({ columns: [table.tenantId, table.seriesId, table.windowStart, table.partition] })],
)

/** A coarser level: one row for each series and window. */
const coarse = (name: string) =>
  pgTable(name, { ...window(), ...values() }, (table) => [
    primaryKey({ columns: [table.tenantId, table.seriesId, table.windowStart] }),
  ])

/** The window and its minutes, packed as in packed-minutes.ts of @millrace/rollups. */
export const rollups5m = pgTable(
  'rollups_5m',
  { ...window(), ...values(), minutes: bytea('minutes'), minuteSketches: bytea('minute_sketches') },
  (table) => [primaryKey({ columns: [table.tenantId, table.seriesId, table.windowStart] })],
)
/** One row for each series and hour. */
export const rollups1h = coarse('rollups_1h')
/** One row for each series and UTC day. */
export const rollups1d = coarse('rollups_1d')

/** Windows that changed after the coarser window was built from them. */
export const rollupDirty = pgTable(
  'rollup_dirty',
  {
    levelSeconds: integer('level_seconds').notNull(),
    tenantId: integer('tenant_id').notNull(),
    windowStart: timestamp('window_start', { withTimezone: true }).notNull(),
    version: bigint('version', { mode: 'number' }).notNull().default(1),
  },
  (table) => [primaryKey({ columns: [table.levelSeconds, table.tenantId, table.windowStart] })],
)

/** The time from which on windows of a level are kept. */
export const rollupLevels = pgTable('rollup_levels', {
  levelSeconds: integer('level_seconds').primaryKey(),
  keptFrom: timestamp('kept_from', { withTimezone: true }).notNull().default(sql`'-infinity'`),
  emptiedTo: timestamp('emptied_to', { withTimezone: true }).notNull().default(sql`'-infinity'`),
})

/** Days of events that a late event has changed. */
export const windowVersions = pgTable(
  'window_versions',
  {
    tenantId: integer('tenant_id').notNull(),
    event: text('event').notNull(),
    day: date('day').notNull(),
    version: bigint('version', { mode: 'number' }).notNull().default(1),
    changedAt: timestamp('changed_at', { withTimezone: true }).notNull().defaultNow(),
    changedXid: xid8('changed_xid').notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.event, table.day] })],
)
