import type { Archive, ChainId } from '@millrace/archive'
import { ADVISORY_LOCKS } from '@millrace/contracts'
import type { Database, Queryable } from '@millrace/database'
import type { Logger } from '@millrace/logger'

export interface ColdRetentionConfig {
  readonly stream: string
  /** For tenants without a rule of their own. */
  readonly keptDays: number
}

export interface ColdRetentionDeps {
  readonly database: Database
  /** Opens the archive, or returns the open one. */
  readonly open: () => Promise<Archive>
  readonly logger: Logger
}

/** Segments that one tombstone takes. */
const SEGMENTS_PER_TOMBSTONE = 200
const CHAINS_PER_RUN = 10_000

/**
 * Returns a function that deletes archived segments beyond their retention, except those under a legal hold. A segment is kept as long as the longest rule
 * of its levels says. When several processes call it at once, one works and the others return.
 */
export function createColdRetention(config: ColdRetentionConfig, deps: ColdRetentionDeps) {
  return async function deleteExpired(signal: AbortSignal): Promise<void> {
    const connection = await deps.database.connection({ applicationName: 'millrace-archive-retention' })
    try {
      const { rows } = await connection.query<{ locked: boolean }>(
        'select pg_try_advisory_lock(hashtext($1)) as locked',
        [ADVISORY_LOCKS.archiveRetention],
      )
      if (rows[0]?.locked !== true) return
      await removeLeft(config, deps)
      const failures: unknown[] = []
      for (const batch of await findExpired(deps.database, config)) {
        if (signal.aborted) return
        // A chain that cannot be changed must not hold up the others.
        await deleteBatch(batch, deps).catch((error: unknown) => failures.push(error))
      }
      if (failures.length > 0) throw failures[0]
    } finally {
      await connection.close()
    }
  }
}

interface Batch extends ChainId {
  readonly seqs: readonly number[]
}

async function deleteBatch(batch: Batch, { open, database, logger }: ColdRetentionDeps): Promise<void> {
  const archive = await open()
  const isDeleted = await archive.bury(batch, {
    seqs: batch.seqs,
    reason: 'retention',
    isAllowed: async (tx) => {
      await lockHolds(tx, batch)
      return !(await hasHeld(tx, batch))
    },
  })
  if (!isDeleted) return
  await noteRemoved(database, batch)
  logger.info('archived log lines beyond their retention were deleted', {
    tenant_id: batch.tenantId,
    day: batch.day,
    segments: batch.seqs.length,
  })
}

/** Objects whose removal was interrupted after their tombstone was stored. */
async function removeLeft({ stream }: ColdRetentionConfig, { open, database }: ColdRetentionDeps): Promise<void> {
  const { rows } = await database.query<{ tenant_id: number; day: string; seqs: bigint[] }>(
    `select tenant_id, day, array_agg(seq) as seqs from archive_segments s where stream = $1 and deleted_by is not null and not is_removed
       and not ${HELD} group by 1, 2`,
    [stream],
  )
  for (const { tenant_id, day, seqs } of rows) {
    const batch = { tenantId: tenant_id, stream, day, seqs: seqs.map(Number) }
    const archive = await open()
    await archive.removeBuried(batch, batch.seqs)
    await noteRemoved(database, batch)
  }
}

async function noteRemoved(database: Queryable, { tenantId, stream, day, seqs }: Batch): Promise<void> {
  await database.query(
    `update archive_segments set is_removed = true where tenant_id = $1 and stream = $2 and day = $3 and seq = any($4::bigint[]) and deleted_by is not null`,
    [tenantId, stream, day, [...seqs]],
  )
}

/** Whether a hold forbids to delete the segment `s`. */
const HELD = `exists (select from archive_holds h where h.tenant_id = s.tenant_id and h.stream = s.stream and h.released_at is null
  and coalesce(h.from_ms, s.last_ms) <= s.last_ms and coalesce(h.to_ms, s.first_ms) >= s.first_ms)`

/** Segments that may be deleted, by chain, the oldest chain first: at most some hundred of a chain, the next run takes the rest. */
async function findExpired(database: Queryable, { stream, keptDays }: ColdRetentionConfig): Promise<Batch[]> {
  const { rows } = await database.query<{ tenant_id: number; day: string; seqs: bigint[] }>(
    `select tenant_id, day, array_agg(seq order by seq) as seqs from archive_segments s
     where stream = $1 and deleted_by is null and not ${HELD} and hour + interval '1 hour' < now() - make_interval(days => coalesce(
       (select max(coalesce(own.kept_days, tenant.kept_days, $2::integer)) from unnest(s.labels) as l(label)
          left join archive_rules own on own.tenant_id = s.tenant_id and own.stream = s.stream and own.label = l.label
          left join archive_rules tenant on tenant.tenant_id = s.tenant_id and tenant.stream = s.stream and tenant.label = ''),
       (select kept_days from archive_rules r where r.tenant_id = s.tenant_id and r.stream = s.stream and r.label = ''), $2::integer))
     group by 1, 2 order by 2, 1 limit ${CHAINS_PER_RUN}`,
    [stream, keptDays],
  )
  return rows.map(({ tenant_id, day, seqs }) => ({
    tenantId: tenant_id,
    stream,
    day,
    seqs: seqs.slice(0, SEGMENTS_PER_TOMBSTONE).map(Number),
  }))
}

/** Holds of a tenant and deletions of its data take turns until the end of the transaction. */
export async function lockHolds(tx: Queryable, { tenantId }: Pick<ChainId, 'tenantId'>): Promise<void> {
  await tx.query('select pg_advisory_xact_lock(hashtext($1), $2)', [ADVISORY_LOCKS.archiveHolds, tenantId])
}

async function hasHeld(tx: Queryable, { tenantId, stream, day, seqs }: Batch): Promise<boolean> {
  const { rows } = await tx.query(
    `select from archive_segments s where tenant_id = $1 and stream = $2 and day = $3 and seq = any($4::bigint[]) and ${HELD} limit 1`,
    [tenantId, stream, day, [...seqs]],
  )
  return rows.length > 0
}
