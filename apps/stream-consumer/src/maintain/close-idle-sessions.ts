import type { Queryable } from '@millrace/database'

/** Sessions that one statement ends. */
const ROWS_A_STATEMENT = 5_000

/**
 * Ends all sessions without events for `idleMs`, as of the time they were last seen. Returns their number. Uses the
 * partial index on active sessions, `rowsMax` rows in a transaction. Any number of processes may call it.
 */
export async function closeIdleSessions(
  database: Queryable,
  idleMs: number,
  rowsMax = ROWS_A_STATEMENT,
): Promise<number> {
  let closed = 0
  for (let rows = rowsMax; rows === rowsMax; closed += rows) {
    const { rowCount } = await database.query(
      `update user_sessions set ended_at = last_seen_at, end_reason = 'idle'
       where (tenant_id, session_id) in (select tenant_id, session_id from user_sessions
         where ended_at is null and last_seen_at < now() - $1 * interval '1 millisecond' order by last_seen_at limit $2 for update skip locked)`,
      [idleMs, rowsMax],
    )
    rows = rowCount
  }
  return closed
}
