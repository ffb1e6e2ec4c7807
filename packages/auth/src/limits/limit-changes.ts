import type { Queryable } from '@millrace/database'
import { parseTenantLimits, type TenantLimits } from './tenant-limits.js'

export interface LimitChangesDeps {
  /** The primary: a replica may lag behind. */
  readonly database: Queryable
  /** Called for each tenant whose settings were changed; now and then also for one that was not changed again. */
  readonly changed: (tenantId: number, limits: TenantLimits) => void
}

/**
 * Returns a function that reports the tenants whose settings were changed since its last call. The first call reports nothing: it remembers where
 * to begin. A call costs one statement that reads an index. It rejects when the database cannot be read; the next call then reports everything
 * since the last one that succeeded, so no change is ever missed.
 */
export function createLimitChanges({ database, changed }: LimitChangesDeps): () => Promise<void> {
  let bound: string | undefined
  return async function readLimitChanges() {
    const isFirst = bound === undefined
    const { rows } = await selectChanged(database, bound)
    for (const { next, id, limits, version } of rows) {
      bound = next
      if (!isFirst && id !== null) changed(id, parseTenantLimits(limits, version))
    }
  }
}

interface ChangedRow {
  readonly next: string
  readonly id: number | null
  readonly limits: unknown
  readonly version: number
}

/**
 * One statement, so that rows and the next bound are from one snapshot: a transaction that is not visible in it has an id that is not below the
 * bound, however late it commits. Uses the index on changed_xid. Always returns at least one row.
 */
function selectChanged(database: Queryable, bound: string | undefined) {
  return database.query<ChangedRow>({
    name: 'find_changed_tenants',
    text: `select s.next::text as next, t.id, t.settings -> 'limits' as limits, t.settings_version::int as version
      from (select pg_snapshot_xmin(pg_current_snapshot()) as next) s
      left join tenants t on t.changed_xid >= coalesce($1::xid8, s.next)`,
    values: [bound ?? null],
  })
}
