import { sql } from 'drizzle-orm'
import { bigint, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import { bytea } from './column-types.js'

/** The last audit entry of each tenant. */
export const auditChains = pgTable('audit_chains', {
  tenantId: integer('tenant_id').primaryKey(),
  seq: bigint('seq', { mode: 'number' }).notNull(),
  hash: bytea('hash').notNull(),
})

/** Audit entries; the function `millrace_audit` appends them. */
export const auditEntries = pgTable(
  'audit_entries',
  {
    tenantId: integer('tenant_id').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    recordedAt: timestamp('recorded_at', { withTimezone: true }).notNull().default(sql`clock_timestamp()`),
    entry: text('entry').notNull(),
    hash: bytea('hash').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.seq] })],
)
