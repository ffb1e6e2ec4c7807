import { date, integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import { bytea, xid8 } from './column-types.js'

/** Packed days: finished days whose events are packed by user. */
export const journeyDays = pgTable('journey_days', {
  day: date('day').primaryKey(),
  asOfXid: xid8('as_of_xid').notNull(),
  checkedAt: timestamp('checked_at', { withTimezone: true }).notNull().defaultNow(),
})

/** The packed events of one name of such a day, by user and time; see analytics-query, src/journeys/marks.ts. */
export const journeyMarks = pgTable('journey_marks', {
  tenantId: integer('tenant_id').notNull(),
  day: date('day').notNull(),
  event: text('event').notNull(),
  asOfXid: xid8('as_of_xid').notNull(),
  madeAt: timestamp('made_at', { withTimezone: true }).notNull().defaultNow(),
  marks: bytea('marks').notNull(),
})

/** Packed layouts: fields that queries of a tenant filter or group the events of a name by; see analytics-query, src/journeys/cuts.ts. */
export const journeyCuts = pgTable('journey_cuts', {
  id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
  tenantId: integer('tenant_id').notNull(),
  event: text('event').notNull(),
  cut: text('cut').notNull(),
  fromDay: date('from_day').notNull(),
  askedAt: timestamp('asked_at', { withTimezone: true }).notNull().defaultNow(),
})

/** Days packed in such a layout. */
export const journeyCutMarks = pgTable(
  'journey_cut_marks',
  {
    cutId: integer('cut_id').notNull(),
    tenantId: integer('tenant_id').notNull(),
    day: date('day').notNull(),
    asOfXid: xid8('as_of_xid').notNull(),
    madeAt: timestamp('made_at', { withTimezone: true }).notNull().defaultNow(),
    parts: jsonb('parts'),
    marks: bytea('marks').notNull(),
  },
  ({ cutId, day }) => [primaryKey({ columns: [cutId, day] })],
)
