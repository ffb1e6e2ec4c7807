import {
  bigint,
  boolean,
  date,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
} from 'drizzle-orm/pg-core'

const rows = (name: string) => bigint(name, { mode: 'number' }).notNull().default(0)
const time = (name: string) => timestamp(name, { withTimezone: true })

/** Jobs of import-worker, with their settings, progress and counts. */
export const dataImportJobs = pgTable('data_import_jobs', {
  jobId: bigint('job_id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
  tenantId: integer('tenant_id').notNull(),
  settings: jsonb('settings').notNull(),
  state: text('state').notNull().default('queued'),
  request: text('request'),
  checkpoint: jsonb('checkpoint').notNull().default({ offset: 0, lines: 0, records: 0 }),
  isStaged: boolean('is_staged').notNull().default(false),
  stagedRows: rows('staged_rows'),
  loadedBlocks: rows('loaded_blocks'),
  readRecords: rows('read_records'),
  rejectedRecords: rows('rejected_records'),
  createdRows: rows('created_rows'),
  updatedRows: rows('updated_rows'),
  unchangedRows: rows('unchanged_rows'),
  deletedRows: rows('deleted_rows'),
  keptRows: rows('kept_rows'),
  error: text('error'),
  epoch: rows('epoch'),
  leaseUntil: time('lease_until'),
  createdAt: time('created_at').notNull().defaultNow(),
  finishedAt: time('finished_at'),
})

/** The faults of records that are not loaded. */
export const importRejects = pgTable(
  'import_rejects',
  {
    jobId: bigint('job_id', { mode: 'bigint' }).notNull(),
    tenantId: integer('tenant_id').notNull(),
    record: bigint('record', { mode: 'number' }).notNull(),
    fault: smallint('fault').notNull(),
    line: bigint('line', { mode: 'number' }).notNull(),
    code: text('code').notNull(),
    columnName: text('column_name'),
    reason: text('reason').notNull(),
    value: text('value'),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.record, table.fault] })],
)

/** Rows before an import changed or deleted them. */
export const dataMigrationLogs = pgTable(
  'data_migration_logs',
  {
    jobId: bigint('job_id', { mode: 'bigint' }).notNull(),
    tenantId: integer('tenant_id').notNull(),
    rowKey: text('row_key').notNull(),
    action: text('action').notNull(),
    rowBefore: jsonb('row_before').notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.rowKey] })],
)

/** The job that wrote the current values of a row; null after any other change. */
const imported = () => ({
  importJob: bigint('import_job', { mode: 'bigint' }),
  changedAt: time('changed_at').notNull().defaultNow(),
})

export const users = pgTable(
  'users',
  {
    tenantId: integer('tenant_id').notNull(),
    userId: text('user_id').notNull(),
    email: text('email'),
    name: text('name'),
    role: text('role'),
    company: text('company'),
    country: text('country'),
    isActive: boolean('is_active'),
    score: numeric('score'),
    signedUpAt: time('signed_up_at'),
    ...imported(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.userId] })],
)

/** Proof-of-value projects. */
export const povs = pgTable(
  'povs',
  {
    tenantId: integer('tenant_id').notNull(),
    povId: text('pov_id').notNull(),
    name: text('name').notNull(),
    customer: text('customer').notNull(),
    ownerId: text('owner_id'),
    status: text('status').notNull(),
    value: numeric('value'),
    startsOn: date('starts_on'),
    endsOn: date('ends_on'),
    ...imported(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.povId] })],
)

/** Technical risk reviews. */
export const trrs = pgTable(
  'trrs',
  {
    tenantId: integer('tenant_id').notNull(),
    trrId: text('trr_id').notNull(),
    povId: text('pov_id').notNull(),
    title: text('title').notNull(),
    risk: text('risk').notNull(),
    status: text('status').notNull(),
    ownerId: text('owner_id'),
    score: bigint('score', { mode: 'bigint' }),
    dueOn: date('due_on'),
    ...imported(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.trrId] })],
)
