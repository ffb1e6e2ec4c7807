import type { Connection, Statement } from '@millrace/database'

/** Tables that typed events feed. */
const TABLES = ['login_events', 'activity_logs', 'user_sessions'] as const
export type TypedTable = (typeof TABLES)[number]

export interface DeleteTypedRowsConfig {
  /** Rows from before this instant go. */
  readonly beforeMs: number
  /** Rows that one statement deletes, each of which is a transaction: 5,000 take some 50 ms, and nobody waits longer for what it locks. */
  readonly rowsMax?: number
}

export interface DeleteTypedRowsDeps {
  readonly connection: Pick<Connection, 'query'>
  /** Told of each statement's. */
  readonly onDeleted: (table: TypedTable, rows: number) => void
  /** When it aborts, no further statement is begun. */
  readonly signal: AbortSignal
}

/**
 * Retention of logins and activities by their time, and of ended sessions by what was seen of them last; one that goes on stays. Each statement walks an
 * index from its oldest end, or from where the one before has come, so that it meets none of the rows that are gone. What is cut short is gone
 * on with by the next call. One process at a time.
 */
export async function deleteTypedRows(config: DeleteTypedRowsConfig, deps: DeleteTypedRowsDeps): Promise<void> {
  const { beforeMs, rowsMax = 5_000 } = config
  const before = new Date(beforeMs).toISOString()
  for (const table of TABLES) {
    if (table === 'user_sessions') {
      await deleteInBatches(table, { rowsMax, deps }, (from) => deleteSessions({ before, from, rowsMax }))
      continue
    }
    for (
      let tenant = await nextTenant(deps, table, 0);
      tenant !== null;
      tenant = await nextTenant(deps, table, tenant)
    ) {
      const tenantId = tenant
      await deleteInBatches(table, { rowsMax, deps }, (from) =>
        deleteOfTenant(table, { tenantId, before, from, rowsMax }),
      )
    }
  }
}

interface Batch {
  readonly before: string
  /** Where the last one has come to. */
  readonly from: string
  readonly rowsMax: number
}

interface BatchRow {
  readonly deleted: bigint
  readonly reached: string | null
}

async function deleteInBatches(
  table: TypedTable,
  { rowsMax, deps }: { rowsMax: number; deps: DeleteTypedRowsDeps },
  statement: (from: string) => Statement,
): Promise<void> {
  let from = '-infinity'
  while (!deps.signal.aborted) {
    const { rows } = await deps.connection.query<BatchRow>(statement(from))
    const [batch] = rows
    const deleted = Number(batch?.deleted ?? 0n)
    if (deleted > 0) deps.onDeleted(table, deleted)
    if (deleted < rowsMax || batch === undefined) return
    from = batch.reached ?? from
  }
}

/** The least tenant above one that has rows: a look into the index whose rows are deleted. */
async function nextTenant(
  { connection, signal }: DeleteTypedRowsDeps,
  table: TypedTable,
  after: number,
): Promise<number | null> {
  if (signal.aborted) return null
  const { rows } = await connection.query<{ tenant: number | null }>(
    `select min(tenant_id) as tenant from ${table} where tenant_id > $1`,
    [after],
  )
  return rows[0]?.tenant ?? null
}

/** Along login_events_time or activity_logs_time, backwards. Nobody changes these rows, so none is waited for. */
function deleteOfTenant(
  table: TypedTable,
  { tenantId, before, from, rowsMax }: Batch & { tenantId: number },
): Statement {
  // No time is null, but the order of the index says where one would be.
  const nulls = table === 'activity_logs' ? 'nulls first' : ''
  return {
    text: `with gone as (
        delete from ${table} where ctid = any (array(select ctid from ${table}
          where tenant_id = $1 and "timestamp" < $2 and "timestamp" >= $3 order by "timestamp" ${nulls} limit $4)) returning "timestamp"
      ) select count(*) as deleted, max("timestamp")::text as reached from gone`,
    values: [tenantId, before, from, rowsMax],
  }
}

/** Along user_sessions_ended. Passes over what a consumer is writing: it locks several in the order of their key, and waiting for it could deadlock. */
function deleteSessions({ before, from, rowsMax }: Batch): Statement {
  return {
    text: `with gone as (
        delete from user_sessions where (tenant_id, session_id) in (select tenant_id, session_id from user_sessions
          where ended_at is not null and last_seen_at < $1 and last_seen_at >= $2 order by last_seen_at limit $3 for update skip locked)
        returning last_seen_at
      ) select count(*) as deleted, max(last_seen_at)::text as reached from gone`,
    values: [before, from, rowsMax],
  }
}
