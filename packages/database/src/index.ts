export type { Connection } from './connection.js'
export type { DatabaseConfig, DatabaseDeps } from './database-config.js'
export {
  DayPartitions,
  dayPartitionName,
  PARTITIONED_TABLES,
  type PartitionedTable,
} from './day-partitions.js'
export { and, type Drizzle, desc, drizzleOn, eq, gt, inArray, isNull, lt, or, type SQL, sql } from './drizzle-on.js'
export { dropDayPartitionsBefore } from './drop-day-partitions.js'
export { databaseErrors, isDataError } from './errors.js'
export { ensureEventPositionIndex, hasEventPositionIndex } from './event-position-index.js'
export { EventSegments, type EventSegmentsConfig } from './event-segments.js'
export { type MigrateOptions, type MigrateResult, migrate } from './migrate.js'
export { type ConnectionOptions, type Database, openDatabase, type PoolState } from './open-database.js'
export { explainSteps } from './plan/explain-steps.js'
export type { PoolReader } from './pooled-database.js'
export { deadLetters } from './schema/events.js'
export { apiKeys, tenants } from './schema/identity.js'
export { type DatabaseSettings, startDatabase } from './start-database.js'
export type { CopiedBytes, CopyStep, CopyTarget, Queryable, Result, Statement, Step } from './statement.js'
export { type IndexBloat, readIndexBloat, readTableBloat, type TableBloat } from './statistics/bloat.js'
export { type PageCounts, readPageCounts } from './statistics/page-counts.js'
export { toDatabaseError } from './to-database-error.js'
export type { Transaction, TransactionOptions } from './transaction.js'
