import { sql } from 'drizzle-orm'
import { bigint, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { bytea, xid8 } from './column-types.js'

/** Customers; `settings` holds their limits. A trigger sets `settingsVersion` and `changedXid` at each update. */
export const tenants = pgTable('tenants', {
  id: integer('id').generatedAlwaysAsIdentity().primaryKey(),
  name: text('name').notNull().unique(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  settings: jsonb('settings').$type<Record<string, unknown>>().notNull().default({}),
  settingsVersion: bigint('settings_version', { mode: 'number' }).notNull().default(1),
  changedXid: xid8('changed_xid').notNull().default(sql`pg_current_xact_id()`),
})

/** Of a key only its SHA-256 is stored. */
export const apiKeys = pgTable('api_keys', {
  id: bigint('id', { mode: 'bigint' }).generatedAlwaysAsIdentity().primaryKey(),
  tenantId: integer('tenant_id')
    .notNull()
    .references(() => tenants.id),
  name: text('name').notNull().default(''),
  keyHash: bytea('key_hash').notNull().unique(),
  keyHint: text('key_hint').notNull(),
  scopes: text('scopes').array().$type<('write' | 'read' | 'admin')[]>().notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  expiresAt: timestamp('expires_at', { withTimezone: true }),
  revokedAt: timestamp('revoked_at', { withTimezone: true }),
})
