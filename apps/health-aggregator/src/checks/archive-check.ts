import type { Database } from '@millrace/database'
import type { ObjectStore } from '@millrace/object-store'
import { round } from './database-check.js'
import type { CheckResult, HealthCheck } from './health-check.js'

/** Requests of a check that get no answer end then, so that a next check can begin. */
const REQUESTS_MS = 10_000

/** The archive, which is opened by the first check: a folder that cannot be made must not keep the service from starting. */
export interface Archive {
  readonly check: HealthCheck
  close(): Promise<void>
}

/** What the archiver of a stream wrote at its last run. */
interface ArchiveStatusRow {
  readonly pending_records: bigint
  readonly oldest_pending_at: Date | null
  readonly is_late: boolean
  readonly reason: string | null
}

/**
 * Checks that the archive can be reached and takes writes; reports its place and the latency, and what waits for the archive where a stream is archived.
 * Nothing stays in the archive.
 */
export function createArchive(
  open: () => Promise<ObjectStore>,
  { database, stream }: { readonly database: Pick<Database, 'query'>; readonly stream: string },
): Archive {
  let opened: ObjectStore | undefined
  return {
    check: {
      name: 'archive',
      async run() {
        opened ??= await open()
        const startedAt = performance.now()
        await opened.check({ signal: AbortSignal.timeout(REQUESTS_MS) })
        const found = { latency: round(performance.now() - startedAt), location: opened.location }
        return { status: 'healthy', ...found, ...(await readWaiting(database, stream).catch(() => ({}))) }
      },
    },
    async close() {
      await opened?.close()
    },
  }
}

/** Nothing for a stream that is not archived, and while the database is down, which is a part of its own. Late, or after a failure, the part is degraded. */
async function readWaiting(database: Pick<Database, 'query'>, stream: string): Promise<Partial<CheckResult>> {
  const { rows } = await database.query<ArchiveStatusRow>(
    'select pending_records, oldest_pending_at, is_late, reason from archive_status where stream = $1',
    [stream],
  )
  const [row] = rows
  if (row === undefined) return {}
  return {
    ...((row.is_late || row.reason !== null) && { status: 'degraded' }),
    pending_records: Number(row.pending_records),
    ...(row.oldest_pending_at !== null && { oldest_pending_at: row.oldest_pending_at.toISOString() }),
    ...(row.reason !== null && { reason: row.reason }),
  }
}
