import { bigint, integer, jsonb, pgTable, primaryKey, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core'

const updatedAt = () => timestamp('updated_at', { withTimezone: true }).notNull().defaultNow()

/** Position and lease of a consumer group for each partition. */
export const streamPartitions = pgTable(
  'stream_partitions',
  {
    groupName: text('group_name').notNull(),
    stream: text('stream').notNull(),
    partition: smallint('partition').notNull(),
    position: text('position').notNull().default(''),
    nextOrdinal: bigint('next_ordinal', { mode: 'number' }).notNull().default(0),
    frames: bigint('frames', { mode: 'number' }).notNull().default(0),
    flushedPosition: text('flushed_position').notNull().default(''),
    flushedOrdinal: bigint('flushed_ordinal', { mode: 'number' }).notNull().default(0),
    watermark: timestamp('watermark', { withTimezone: true }),
    owner: text('owner'),
    epoch: bigint('epoch', { mode: 'number' }).notNull().default(0),
    leaseExpiresAt: timestamp('lease_expires_at', { withTimezone: true }),
    blockedReason: text('blocked_reason'),
    blockedSince: timestamp('blocked_since', { withTimezone: true }),
    updatedAt: updatedAt(),
    unflushedFrom: timestamp('unflushed_from', { withTimezone: true }),
    unflushedTo: timestamp('unflushed_to', { withTimezone: true }),
    flushedWatermark: timestamp('flushed_watermark', { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.groupName, table.stream, table.partition] })],
)

/** Members of a consumer group with their last heartbeat. */
export const streamMembers = pgTable(
  'stream_members',
  {
    groupName: text('group_name').notNull(),
    stream: text('stream').notNull(),
    member: text('member').notNull(),
    heartbeatAt: timestamp('heartbeat_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.groupName, table.stream, table.member] })],
)

/** The last frame of each producer. */
export const streamProducers = pgTable(
  'stream_producers',
  {
    groupName: text('group_name').notNull(),
    stream: text('stream').notNull(),
    partition: smallint('partition').notNull(),
    producer: uuid('producer').notNull(),
    lastSequence: bigint('last_sequence', { mode: 'number' }).notNull(),
    records: bigint('records', { mode: 'number' }).notNull(),
    lostRecords: bigint('lost_records', { mode: 'number' }).notNull().default(0),
    updatedAt: updatedAt(),
  },
  (table) => [primaryKey({ columns: [table.groupName, table.stream, table.partition, table.producer] })],
)

/** Counts of accepted and rejected records, from the gateways. */
export const ledgerProduced = pgTable(
  'ledger_produced',
  {
    stream: text('stream').notNull(),
    producer: uuid('producer').notNull(),
    tenantId: integer('tenant_id').notNull(),
    accepted: bigint('accepted', { mode: 'number' }).notNull(),
    rejected: bigint('rejected', { mode: 'number' }).notNull(),
    spooled: bigint('spooled', { mode: 'number' }).notNull().default(0),
    updatedAt: updatedAt(),
  },
  (table) => [primaryKey({ columns: [table.stream, table.producer, table.tenantId] })],
)

/** How far each partition's stored events have been written to a Kafka topic. */
export const mirrorPositions = pgTable(
  'mirror_positions',
  {
    topic: text('topic').notNull(),
    groupName: text('group_name').notNull(),
    stream: text('stream').notNull(),
    partition: smallint('partition').notNull(),
    nextOrdinal: bigint('next_ordinal', { mode: 'number' }).notNull(),
    mirroredUntil: timestamp('mirrored_until', { withTimezone: true }).notNull().defaultNow(),
    missed: bigint('missed', { mode: 'number' }).notNull().default(0),
    blockedReason: text('blocked_reason'),
    blockedSince: timestamp('blocked_since', { withTimezone: true }),
    updatedAt: updatedAt(),
  },
  (table) => [primaryKey({ columns: [table.topic, table.groupName, table.stream, table.partition] })],
)

/** Settings of running processes that other services depend on. */
export const serviceSettings = pgTable(
  'service_settings',
  {
    service: text('service').notNull(),
    instance: text('instance').notNull(),
    settings: jsonb('settings').notNull(),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull().defaultNow(),
    seenAt: timestamp('seen_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.service, table.instance] })],
)

/** Stored records whose rows retention has deleted. */
export const ledgerExpired = pgTable(
  'ledger_expired',
  {
    stream: text('stream').notNull(),
    tenantId: integer('tenant_id').notNull(),
    expired: bigint('expired', { mode: 'number' }).notNull(),
    updatedAt: updatedAt(),
  },
  (table) => [primaryKey({ columns: [table.stream, table.tenantId] })],
)

/** Counts of the consumer's verdicts on the records that it read. */
export const ledgerConsumed = pgTable(
  'ledger_consumed',
  {
    stream: text('stream').notNull(),
    partition: smallint('partition').notNull(),
    producer: uuid('producer').notNull(),
    tenantId: integer('tenant_id').notNull(),
    accepted: bigint('accepted', { mode: 'number' }).notNull(),
    rejected: bigint('rejected', { mode: 'number' }).notNull(),
    stored: bigint('stored', { mode: 'number' }).notNull(),
    duplicate: bigint('duplicate', { mode: 'number' }).notNull(),
    deadLettered: bigint('dead_lettered', { mode: 'number' }).notNull(),
    updatedAt: updatedAt(),
  },
  (table) => [primaryKey({ columns: [table.stream, table.partition, table.producer, table.tenantId] })],
)
