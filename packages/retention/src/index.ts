export { dayPartitions } from './day-partitions.js'
export { createRetention, type RetentionDeps } from './retention.js'
export type { DeletionContext, RetainedRelation, RetentionRule } from './retention-rule.js'
export { rowsInUse, rowsOfTenants } from './rows.js'
