import type { Transaction } from '@millrace/database'
import { HyperLogLog } from '@millrace/sketches'

interface ChangedDay {
  readonly tenant_id: number
  readonly window_start: Date
  readonly events: bigint
}

/** Sketches in memory at once, each of at most 12 KB. */
const SKETCHES_A_READ = 1000

/**
 * Updates daily_users from the 1-day rollups since `fromMs`: days whose count of events has changed are merged again,
 * newest first and at most `daysMax` of them. A day counts each user once over all event names. Returns the number of
 * merged days. The sketches are merged here because PostgreSQL has no built-in function for it.
 */
export async function mergeDailyUsers(tx: Transaction, fromMs: number, daysMax: number): Promise<number> {
  const { rows: days } = await tx.query<ChangedDay>(SELECT_CHANGED, [new Date(fromMs), daysMax])
  for (const day of days) {
    const users = await countUsers(tx, day)
    await tx.query(
      `insert into daily_users as u (tenant_id, day, events, users) values ($1, ($2::timestamptz at time zone 'UTC')::date, $3, $4)
        on conflict (tenant_id, day) do update set events = excluded.events, users = excluded.users`,
      [day.tenant_id, day.window_start, day.events, users],
    )
  }
  return days.length
}

/** Reads counts only, no sketches. */
const SELECT_CHANGED = `select r.tenant_id, r.window_start, sum(r.count)::bigint as events
  from rollups_1d r join rollup_series s on s.id = r.series_id and s.dimensions = '{}' and s.property is null and s.event <> '*'
  left join daily_users u on u.tenant_id = r.tenant_id and u.day = (r.window_start at time zone 'UTC')::date
  where r.window_start >= $1
  group by r.tenant_id, r.window_start, u.events
  having sum(r.count) is distinct from u.events
  order by r.window_start desc, r.tenant_id limit $2`

/** Reads series in portions, so that a tenant with many event names does not fill the memory. */
async function countUsers(tx: Transaction, { tenant_id, window_start }: ChangedDay): Promise<number> {
  const users = new HyperLogLog()
  let after = 0
  for (;;) {
    const { rows } = await tx.query<{ series_id: number; uniques: Buffer | null }>(
      `select r.series_id, r.uniques from rollups_1d r
        join rollup_series s on s.id = r.series_id and s.dimensions = '{}' and s.property is null and s.event <> '*'
        where r.tenant_id = $1 and r.window_start = $2 and r.series_id > $3 order by r.series_id limit $4`,
      [tenant_id, window_start, after, SKETCHES_A_READ],
    )
    for (const { uniques } of rows) if (uniques !== null) users.merge(HyperLogLog.deserialise(uniques))
    after = rows.at(-1)?.series_id ?? after
    if (rows.length < SKETCHES_A_READ) return Math.round(users.estimate())
  }
}
