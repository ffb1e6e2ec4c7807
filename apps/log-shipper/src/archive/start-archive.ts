import { Archive, createMasterKeys, type KeyWrapper, parseMasterKeys, TenantKeys } from '@millrace/archive'
import { HOUR_MS, SECOND_MS } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import { type ArchiveSettings, type ObjectStore, openArchive } from '@millrace/object-store'
import type { Lifecycle } from '@millrace/service'
import { ArchiveMetrics } from './archive-metrics.js'
import { deleteStatus } from './archive-statements.js'
import { createArchiver } from './archiver.js'
import { createColdRetention } from './cold-retention.js'

export interface StartArchiveConfig extends ArchiveSettings {
  readonly ARCHIVE_MASTER_KEYS?: { reveal(): string } | undefined
  readonly ARCHIVE_SEAL_SECONDS: number
  readonly ARCHIVE_RETENTION_DAYS: number
  readonly LOG_STREAM_NAME: string
}

/** How often the archiver looks for what is due. */
const PERIOD_MS = 10 * SECOND_MS

/** Archives log lines, and deletes them from the archive when their time is over; does nothing without ARCHIVE_MASTER_KEYS. */
export async function startArchive(
  config: StartArchiveConfig,
  { lifecycle, database }: { readonly lifecycle: Lifecycle; readonly database: Database },
): Promise<void> {
  const { logger } = lifecycle
  if (config.ARCHIVE_MASTER_KEYS === undefined) return await deleteStatus(database, config.LOG_STREAM_NAME)
  const wrapper = createMasterKeys(parseMasterKeys(config.ARCHIVE_MASTER_KEYS.reveal()))
  const open = await lifecycle.start('archive', () => openOnce(config, { database, wrapper }))
  const stream = config.LOG_STREAM_NAME
  const archiveDue = createArchiver(
    { stream, sealSeconds: config.ARCHIVE_SEAL_SECONDS },
    { database, open, metrics: new ArchiveMetrics(lifecycle.metrics), logger },
  )
  const periodMs = Math.min(PERIOD_MS, (config.ARCHIVE_SEAL_SECONDS * SECOND_MS) / 2)
  await lifecycle.every('archive of log lines', periodMs, archiveDue)
  const deleteExpired = createColdRetention(
    { stream, keptDays: config.ARCHIVE_RETENTION_DAYS },
    { database, open, logger },
  )
  await lifecycle.every('retention of archived log lines', HOUR_MS, deleteExpired)
}

/** Opens the archive at first use: a folder that cannot be made, or a server that is down, must not keep the service from starting. */
function openOnce(
  settings: ArchiveSettings,
  { database, wrapper }: { readonly database: Database; readonly wrapper: KeyWrapper },
): readonly [open: () => Promise<Archive>, close: () => Promise<void>] {
  let store: ObjectStore | undefined
  let archive: Archive | undefined
  const open = async () => {
    store ??= await openArchive(settings)
    archive ??= new Archive({ database, store, keys: new TenantKeys({ store, wrapper }), now: () => new Date() })
    return archive
  }
  return [open, async () => await store?.close()]
}
