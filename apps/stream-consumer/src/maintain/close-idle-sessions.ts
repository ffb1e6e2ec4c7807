import type { Queryable } from '@millrace/database'

/**
 * Ends sessions that nothing was heard of for `idleMs`, as of the time they were last seen; returns how many. Reads along the partial
 * index over active sessions. Any number of processes may call it.
 */
export async function closeIdleSessions(database: Queryable, idleMs: number): Promise<number> {
  const { rowCount } = await database.query(
    `update user_sessions set ended_at = last_seen_at, end_reason = 'idle'
     where (tenant_id, session_id) in (select tenant_id, session_id from user_sessions
       where ended_at is null and last_seen_at < now() - $1 * interval '1 millisecond' order by last_seen_at limit 5000 for update skip locked)`,
    [idleMs],
  )
  return rowCount
}
