import { bigint, date, doublePrecision, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import { xid8 } from './column-types.js'

/** Distinct users of a UTC day, merged from its sketches, and the number of events at that time. */
export const dailyUsers = pgTable(
  'daily_users',
  {
    tenantId: integer('tenant_id').notNull(),
    day: date('day').notNull(),
    events: bigint('events', { mode: 'number' }).notNull(),
    users: bigint('users', { mode: 'number' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.day] })],
)

/** The range and time of the last refresh of each materialized view. */
export const reportRefreshes = pgTable('report_refreshes', {
  name: text('name').primaryKey(),
  refreshedAt: timestamp('refreshed_at', { withTimezone: true }).notNull(),
  coversFrom: timestamp('covers_from', { withTimezone: true }).notNull(),
  completeUntil: timestamp('complete_until', { withTimezone: true }),
  watermark: timestamp('watermark', { withTimezone: true }),
  snapshotXmin: xid8('snapshot_xmin').notNull(),
  tookMs: doublePrecision('took_ms').notNull(),
})
