/**
 * Names of PostgreSQL advisory locks, for `pg_advisory_lock(hashtext(name))` or as the first of two hashes. All services share one database and
 * so one space of locks. Constants that are safe inside SQL text.
 */
export const ADVISORY_LOCKS = {
  /** With 'migrate' as the second name: only one process applies migrations. */
  migrations: 'millrace',
  /** With the name of a table as the second name: only one process creates its partitions. */
  partitions: 'millrace:partitions',
  /** Only one process deletes what is beyond its retention. */
  retention: 'millrace:retention',
  /** Only one process deletes log lines beyond their retention. */
  logRetention: 'millrace:log-retention',
  /** Only one process archives log lines. */
  logArchive: 'millrace:log-archive',
  /** Only one process deletes archived segments beyond their retention. */
  archiveRetention: 'millrace:archive-retention',
  /** With the id of a tenant: legal holds and deletions of archived data take turns. */
  archiveHolds: 'millrace:archive-holds',
  /** Two restores from the archive take turns, segment by segment. */
  logRestore: 'millrace:log-restore',
  /** Only one process merges finer rollup windows into coarser ones. */
  compactor: 'millrace:compactor',
  /** With the key of a rollup definition as the second name: series are counted and created one after the other. */
  series: 'millrace:series',
  /** Only one process builds the index of events by partition and position. */
  eventPositions: 'millrace:event-positions',
  /** With the name of a report as the second name: only one process refreshes it. */
  reports: 'millrace:reports',
} as const
