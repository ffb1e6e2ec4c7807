/** All tables for drizzle; schema.test.ts compares them with the migrated database. Indexes and storage settings are only in the migrations. */
export { activityLogs, loginEvents, userSessions } from './activity.js'
export {
  archiveChains,
  archiveHolds,
  archiveRules,
  archiveSegments,
  archiveStatus,
  logRestoredDays,
} from './archive.js'
export { auditChains, auditEntries } from './audit.js'
export { deadLetters, eventJournal, events } from './events.js'
export { apiKeys, tenants } from './identity.js'
export { dataImportJobs, dataMigrationLogs, importRejects, povs, trrs, users } from './imports.js'
export { journeyCutMarks, journeyCuts, journeyDays, journeyMarks } from './journeys.js'
export { logChunks, logFlushed, logTransforms } from './logs.js'
export { dailyUsers, reportRefreshes } from './reports.js'
export {
  rollupDefinitions,
  rollupDirty,
  rollupLevels,
  rollupSeries,
  rollups1d,
  rollups1h,
  rollups1m,
  rollups5m,
  windowVersions,
} from './rollups.js'
export {
  ledgerConsumed,
  ledgerExpired,
  ledgerProduced,
  mirrorPositions,
  serviceSettings,
  streamMembers,
  streamPartitions,
  streamProducers,
} from './stream.js'
