import type { Queryable } from '@millrace/database'
import { type DayStatistics, type Shares, type TableStatistics, unknownShares } from './table-statistics.js'

/** A day partition, or a segment of a busy day. */
interface TableRow {
  readonly name: string
  readonly day: string
  readonly rows: number
  /** As in pg_stats: a negative number is a share of the rows. */
  readonly distinct_users: number | null
}

interface ShareRow {
  readonly attname: string
  readonly distinct_values: number
  readonly common: string[] | null
  readonly shares: number[] | null
}

/** Minimum share of a value that is not among the most common ones. */
const UNSEEN_SHARE = 0.001

/**
 * Reads the statistics that PostgreSQL keeps about the events: a few milliseconds for 90 days of any size, without a
 * lock on a table. Row counts include rows since the last ANALYZE.
 * @throws databaseErrors
 */
export async function readStatistics(database: Queryable): Promise<TableStatistics> {
  const { rows: tables } = await database.query<TableRow>(SELECT_TABLES)
  const days = new Map<number, DayStatistics>()
  for (const { day, rows, distinct_users: distinct } of tables) {
    const users = distinct === null ? null : distinctOf(distinct, rows)
    const before = days.get(dayOf(day)) ?? { rows: 0, users: null }
    // The segments of a day have about the same users.
    days.set(dayOf(day), {
      rows: before.rows + rows,
      users: users === null ? before.users : Math.max(users, before.users ?? 0),
    })
  }
  const sample = tables.filter((row) => row.distinct_users !== null).sort((a, b) => b.rows - a.rows)[0]
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

/** To be read from the primary: a replica has no counters of live rows. */
const SELECT_TABLES = `select c.relname::text as name, right(d.relname, 8) as day, greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::float8 as rows,
    (select s.n_distinct::float8 from pg_stats s
      where s.schemaname = c.relnamespace::regnamespace::text and s.tablename = c.relname and s.attname = 'user_hash') as distinct_users
  from pg_inherits i join pg_class d on d.oid = i.inhrelid
    left join pg_inherits s on s.inhparent = d.oid join pg_class c on c.oid = coalesce(s.inhrelid, d.oid)
  where i.inhparent = 'events'::regclass and d.relname ~ '_[0-9]{8}$' order by d.relname`

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

/** `text` is like 20261121. */
function dayOf(text: string): number {
  return Date.UTC(Number(text.slice(0, 4)), Number(text.slice(4, 6)) - 1, Number(text.slice(6)))
}
