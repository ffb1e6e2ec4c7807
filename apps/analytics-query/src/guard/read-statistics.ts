import type { Queryable } from '@millrace/database'
import { DAY_MS, type DayStatistics, type Shares, type TableStatistics, unknownShares } from './table-statistics.js'

interface DayRow {
  readonly name: string
  readonly rows: number
  /** As pg_stats says it: below 0 it is a share of the rows. */
  readonly distinct_users: number | null
}

interface ShareRow {
  readonly attname: string
  readonly distinct_values: number
  readonly common: string[] | null
  readonly shares: number[] | null
}

/** A value that was not met by the sample is rarer than this. */
const UNSEEN_SHARE = 0.001

/**
 * What PostgreSQL knows about the events without looking at one: some milliseconds for 90 days however large they are, and no lock on any table.
 * Rows that are counted live include those since the last ANALYZE. @throws databaseErrors
 */
export async function readStatistics(database: Queryable): Promise<TableStatistics> {
  const { rows: dayRows } = await database.query<DayRow>(SELECT_DAYS)
  const days = new Map<number, DayStatistics>()
  for (const { name, rows, distinct_users: users } of dayRows)
    days.set(dayOf(name), { rows, users: users === null ? null : distinctOf(users, rows) })
  const sample = dayRows.filter((row) => row.distinct_users !== null).sort((a, b) => b.rows - a.rows)[0]
  const shares = sample === undefined ? [] : (await database.query<ShareRow>(SELECT_SHARES, [sample.name])).rows
  const of = <Value>(column: string, parse: (text: string) => Value): Shares<Value> => {
    const row = shares.find(({ attname }) => attname === column)
    return row === undefined ? unknownShares() : toShares(row, sample?.rows ?? 0, parse)
  }
  const { rows: logins } = await database.query<{ rows: number }>(SELECT_LOGINS)
  const starts = [...days.keys()]
  return {
    days,
    firstDayMs: starts[0] ?? Number.POSITIVE_INFINITY,
    lastDayMs: starts.at(-1) ?? Number.NEGATIVE_INFINITY,
    events: of('event', String),
    tenants: of('tenant_id', Number),
    users: of('user_hash', BigInt),
    logins: logins[0]?.rows ?? 0,
  }
}

/** The counters are of the primary: a replica has none. */
const SELECT_DAYS = `select c.relname::text as name, greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::float8 as rows,
    (select s.n_distinct::float8 from pg_stats s
      where s.schemaname = c.relnamespace::regnamespace::text and s.tablename = c.relname and s.attname = 'user_hash') as distinct_users
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'events'::regclass and c.relname ~ '_[0-9]{8}$' order by c.relname`

const SELECT_SHARES = `select attname::text, n_distinct::float8 as distinct_values, most_common_vals::text::text[] as common, most_common_freqs::float8[] as shares
  from pg_stats where tablename = $1 and attname in ('event', 'tenant_id', 'user_hash')`

const SELECT_LOGINS = `select greatest(reltuples, pg_stat_get_live_tuples(oid), 0)::float8 as rows from pg_class where oid = 'login_events'::regclass`

function toShares<Value>(row: ShareRow, rows: number, parse: (text: string) => Value): Shares<Value> {
  const common = new Map((row.common ?? []).map((text, index) => [parse(text), row.shares?.[index] ?? 0]))
  const distinct = distinctOf(row.distinct_values, rows)
  const rest = 1 - [...common.values()].reduce((sum, share) => sum + share, 0)
  const other = Math.max(UNSEEN_SHARE, rest / Math.max(1, distinct - common.size))
  return { common, other, distinct }
}

function distinctOf(stated: number, rows: number): number {
  return Math.max(1, stated < 0 ? -stated * rows : stated)
}

function dayOf(partitionName: string): number {
  const [, year, month, day] = /(\d{4})(\d{2})(\d{2})$/.exec(partitionName) ?? []
  return Math.floor(Date.UTC(Number(year), Number(month) - 1, Number(day)) / DAY_MS) * DAY_MS
}
