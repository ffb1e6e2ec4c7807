import { bigint, boolean, integer, jsonb, pgTable, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { bytea } from './column-types.js'

/** Partitioned by day; a busy day is partitioned by segment. user_hash is a bigint, because it does not fit a number. */
export const events = pgTable('events', {
  position: bigint('position', { mode: 'bigint' }).notNull(),
  userHash: bigint('user_hash', { mode: 'bigint' }).notNull(),
  timestamp: timestamp('timestamp', { withTimezone: true }).notNull(),
  receivedAt: timestamp('received_at', { withTimezone: true }).notNull(),
  tenantId: integer('tenant_id').notNull(),
  partition: smallint('partition').notNull(),
  type: smallint('type').notNull(),
  messageId: text('message_id').notNull(),
  event: text('event').notNull(),
  userId: text('user_id'),
  anonymousId: text('anonymous_id'),
  properties: jsonb('properties'),
  context: jsonb('context'),
  segment: smallint('segment').notNull().default(0),
})

/** One row for each frame, partitioned by day. */
export const eventJournal = pgTable('event_journal', {
  partition: smallint('partition').notNull(),
  producer: uuid('producer').notNull(),
  sequence: bigint('sequence', { mode: 'number' }).notNull(),
  firstOrdinal: bigint('first_ordinal', { mode: 'number' }).notNull(),
  records: integer('records').notNull(),
  duplicates: integer('duplicates').notNull(),
  deadLettered: integer('dead_lettered').notNull(),
  committedAt: timestamp('committed_at', { withTimezone: true }).notNull().defaultNow(),
  position: text('position').notNull(),
  verdicts: bytea('verdicts'),
  hashes: bytea('hashes').notNull(),
  hashesHaveUsers: boolean('hashes_have_users').notNull().default(false),
})

/** Records that could not be stored, with their reason. */
export const deadLetters = pgTable('dead_letters', {
  id: bigint('id', { mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
  stream: text('stream').notNull(),
  tenantId: integer('tenant_id').notNull(),
  partition: smallint('partition').notNull(),
  position: text('position').notNull(),
  producer: uuid('producer').notNull(),
  sequence: bigint('sequence', { mode: 'number' }).notNull(),
  recordIndex: integer('record_index').notNull(),
  messageId: text('message_id').notNull(),
  code: text('code').notNull(),
  reason: text('reason').notNull(),
  record: bytea('record').notNull(),
  state: text('state').$type<'pending' | 'replaying' | 'replayed' | 'discarded'>().notNull().default('pending'),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
})
