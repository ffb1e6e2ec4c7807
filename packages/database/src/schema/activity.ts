import { boolean, integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'

/** Logins, made from events by the consumer (EVT-1). */
export const loginEvents = pgTable('login_events', {
  tenantId: integer('tenant_id').notNull(),
  messageId: text('message_id').notNull(),
  userId: text('user_id'),
  timestamp: timestamp('timestamp', { withTimezone: true }).notNull(),
  method: text('method').notNull(),
  success: boolean('success').notNull(),
  failureReason: text('failure_reason'),
  deviceType: text('device_type'),
  browser: text('browser'),
  browserVersion: text('browser_version'),
  os: text('os'),
  osVersion: text('os_version'),
  ip: text('ip'),
})

/** Actions of users on entities, made from events by the consumer (EVT-2). */
export const activityLogs = pgTable('activity_logs', {
  tenantId: integer('tenant_id').notNull(),
  messageId: text('message_id').notNull(),
  userId: text('user_id').notNull(),
  timestamp: timestamp('timestamp', { withTimezone: true }).notNull(),
  action: text('action').notNull(),
  entityType: text('entity_type').notNull(),
  entityId: text('entity_id').notNull(),
  metadata: jsonb('metadata').$type<Record<string, unknown>>().notNull().default({}),
})

/** Sessions of users, made from events by the consumer (EVT-3). */
export const userSessions = pgTable(
  'user_sessions',
  {
    tenantId: integer('tenant_id').notNull(),
    sessionId: text('session_id').notNull(),
    userId: text('user_id'),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull(),
    lastSeenAt: timestamp('last_seen_at', { withTimezone: true }).notNull(),
    endedAt: timestamp('ended_at', { withTimezone: true }),
    endReason: text('end_reason'),
    deviceType: text('device_type'),
    browser: text('browser'),
    os: text('os'),
    ip: text('ip'),
    userIsAnonymous: boolean('user_is_anonymous'),
    userAt: timestamp('user_at', { withTimezone: true }),
    clientAt: timestamp('client_at', { withTimezone: true }),
    ipAt: timestamp('ip_at', { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.sessionId] })],
)
