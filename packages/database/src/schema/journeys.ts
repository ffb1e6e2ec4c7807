import { date, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { bytea, xid8 } from './column-types.js'

/** Days that are over and packed by user. */
export const journeyDays = pgTable('journey_days', {
  day: date('day').primaryKey(),
  asOfXid: xid8('as_of_xid').notNull(),
  checkedAt: timestamp('checked_at', { withTimezone: true }).notNull().defaultNow(),
})

/** The events of one name of such a day, by user and time; see analytics-query, src/journeys/marks.ts. */
export const journeyMarks = pgTable('journey_marks', {
  tenantId: integer('tenant_id').notNull(),
  day: date('day').notNull(),
  event: text('event').notNull(),
  asOfXid: xid8('as_of_xid').notNull(),
  madeAt: timestamp('made_at', { withTimezone: true }).notNull().defaultNow(),
  marks: bytea('marks').notNull(),
})
