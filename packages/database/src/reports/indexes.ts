import type { Queryable } from '../statement.js'
import { ROOTS } from '../statistics/roots.js'
import type { Section } from './render-report.js'

/** One index; its partitions are added up. */
export interface IndexUse {
  readonly index: string
  readonly table: string
  readonly method: string
  /** Key columns in order, with operator class, collation and direction. */
  readonly keys: readonly string[]
  readonly condition: string | null
  readonly is_unique: boolean
  readonly bytes: number
  readonly scans: number
}

const INDEX_USE = `
  with recursive ${ROOTS},
  used as (
    select r.root, sum(pg_relation_size(c.oid))::float8 as bytes, sum(coalesce(s.idx_scan, 0))::float8 as scans
    from pg_class c join root r on r.oid = c.oid left join pg_stat_all_indexes s on s.indexrelid = c.oid
    where c.relkind in ('i', 'I') group by r.root
  )
  select u.root::regclass::text as index, i.indrelid::regclass::text as "table", m.amname as method, i.indisunique as is_unique, u.bytes, u.scans,
    pg_get_expr(i.indpred, i.indrelid) as condition,
    array(select pg_get_indexdef(i.indexrelid, k::int, false) || ' ' || i.indclass[k - 1] || ' ' || i.indcollation[k - 1] || ' ' || i.indoption[k - 1]
      from generate_series(1, i.indnkeyatts) k order by k) as keys
  from used u join pg_index i on i.indexrelid = u.root join pg_class c on c.oid = u.root join pg_am m on m.oid = c.relam
    join pg_namespace n on n.oid = c.relnamespace
  where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and i.indisvalid
  order by u.bytes desc`

const SCANNED_TABLES = `
  with recursive ${ROOTS}
  select r.root::regclass::text as "table", sum(s.seq_scan)::float8 as scans, sum(s.seq_tup_read)::float8 as rows_read,
    (sum(s.seq_tup_read) / greatest(sum(s.seq_scan), 1))::float8 as rows_per_scan, sum(coalesce(s.idx_scan, 0))::float8 as index_scans,
    sum(pg_relation_size(s.relid))::float8 as bytes
  from pg_stat_user_tables s join root r on r.oid = s.relid
  group by r.root having sum(s.seq_scan) > 0 and sum(pg_relation_size(s.relid)) >= $1 order by rows_read desc limit 20`

/** All valid indexes of the database, largest first. */
export async function readIndexUse(database: Queryable): Promise<IndexUse[]> {
  return (await database.query<IndexUse>(INDEX_USE)).rows
}

/** Finds indexes that can be dropped because another index serves all their searches. */
export function findRedundant(indexes: readonly IndexUse[]): { redundant: IndexUse; by: IndexUse }[] {
  const isServedBy = (one: IndexUse, other: IndexUse) =>
    one !== other &&
    one.table === other.table &&
    one.method === 'btree' &&
    other.method === 'btree' &&
    one.condition === other.condition &&
    one.keys.length <= other.keys.length &&
    one.keys.every((key, position) => key === other.keys[position]) &&
    // A unique index is a constraint. Of two equal indexes one has to stay.
    !one.is_unique &&
    (one.keys.length < other.keys.length || other.is_unique || one.index > other.index)
  return indexes.flatMap((one) => {
    const other = indexes.find((candidate) => isServedBy(one, candidate))
    return other === undefined ? [] : [{ redundant: one, by: other }]
  })
}

/** What a table scanned from end to end must have to be worth a word, in bytes. */
export const LARGE_TABLE_BYTES = 8 * 2 ** 20

/** Unused indexes, redundant indexes, and sequential scans of large tables. */
export async function reportIndexes(database: Queryable): Promise<Section[]> {
  const indexes = await readIndexUse(database)
  const since = await database.query<{ since: Date | null }>(
    'select stats_reset as since from pg_stat_database where datname = current_database()',
  )
  const scanned = await database.query<Record<string, string | number>>(SCANNED_TABLES, [LARGE_TABLE_BYTES])
  const unused = indexes.filter(({ scans, is_unique, bytes }) => scans === 0 && !is_unique && bytes > 0)
  return [
    {
      title: 'unused indexes',
      note: `no scan since ${since.rows[0]?.since?.toISOString() ?? 'the last reset of statistics'}; check the replicas too before you drop one`,
      columns: { index: 'text', table: 'text', method: 'text', bytes: 'bytes' },
      rows: unused.map(({ index, table, method, bytes }) => ({ index, table, method, bytes })),
    },
    {
      title: 'redundant indexes',
      columns: { index: 'text', table: 'text', bytes: 'bytes', scans: 'count', served_by: 'text' },
      rows: findRedundant(indexes).map(({ redundant: { index, table, bytes, scans }, by }) => ({
        index,
        table,
        bytes,
        scans,
        served_by: by.index,
      })),
    },
    {
      title: 'sequential scans of large tables',
      note: 'tables of 8 MiB and more; many scans with many rows each: an index may be missing',
      columns: {
        table: 'text',
        bytes: 'bytes',
        scans: 'count',
        rows_per_scan: 'count',
        rows_read: 'count',
        index_scans: 'count',
      },
      rows: scanned.rows,
    },
  ]
}
