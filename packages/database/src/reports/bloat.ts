import type { Queryable } from '../statement.js'
import { type DeadSpace, readIndexBloat, readTableBloat } from '../statistics/bloat.js'
import { ROOTS } from '../statistics/roots.js'
import type { Section } from './render-report.js'

/** The same figures from the pages: every page that may hold dead rows, and every page of each index. */
const EXACT_TABLES = `
  with recursive ${ROOTS}
  select r.root::regclass::text as "table", sum(b.table_len)::float8 as bytes, sum(b.dead_tuple_len + b.approx_free_space)::float8 as dead_bytes,
    coalesce(sum(b.dead_tuple_len + b.approx_free_space) / nullif(sum(b.table_len), 0), 0)::float8 as dead_share
  from pg_class c join root r on r.oid = c.oid join pg_namespace n on n.oid = c.relnamespace cross join lateral pgstattuple_approx(c.oid) b
  where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
  group by r.root having sum(b.table_len) > 0 order by dead_bytes desc, bytes desc`

const EXACT_INDEXES = `
  with recursive ${ROOTS}
  select r.root::regclass::text as index, min(t.root)::regclass::text as "table", sum(b.index_size)::float8 as bytes,
    sum(b.index_size * (1 - b.avg_leaf_density / 100))::float8 as dead_bytes,
    coalesce(sum(b.index_size * (1 - b.avg_leaf_density / 100)) / nullif(sum(b.index_size), 0), 0)::float8 as dead_share
  from pg_class c join pg_index i on i.indexrelid = c.oid join pg_am m on m.oid = c.relam join root r on r.oid = c.oid join root t on t.oid = i.indrelid
    join pg_namespace n on n.oid = c.relnamespace cross join lateral pgstatindex(c.oid::regclass) b
  where m.amname = 'btree' and c.relkind = 'i' and c.relpages > 1 and b.avg_leaf_density <> 'NaN'
    and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  group by r.root order by dead_bytes desc, bytes desc`

/** Smaller relations are left out of the report. */
const SHOWN_BYTES_MIN = 64 * 1024
const SHOWN_MAX = 25

function shown<Row extends DeadSpace>(rows: readonly Row[]): Row[] {
  return rows.filter(({ bytes }) => bytes >= SHOWN_BYTES_MIN).slice(0, SHOWN_MAX)
}

/** Tables and indexes by dead space. `isExact` reads their pages instead of the statistics. */
export async function reportBloat(database: Queryable, isExact: boolean): Promise<Section[]> {
  const space = { bytes: 'bytes', dead_bytes: 'bytes', dead_share: 'percent' } as const
  if (isExact) {
    await database.query('create extension if not exists pgstattuple')
    const tables = await database.query<{ table: string } & DeadSpace>(EXACT_TABLES)
    const indexes = await database.query<{ index: string; table: string } & DeadSpace>(EXACT_INDEXES)
    const note = 'measured by pgstattuple; free space counts too, even if new rows will fill it'
    return [
      {
        title: 'tables',
        note,
        columns: { table: 'text', ...space },
        rows: shown(tables.rows).map((row) => ({ ...row })),
      },
      {
        title: 'indexes',
        columns: { index: 'text', table: 'text', ...space },
        rows: shown(indexes.rows).map((row) => ({ ...row })),
      },
    ]
  }
  const tables = await readTableBloat(database)
  const indexes = await readIndexBloat(database)
  return [
    {
      title: 'tables',
      note: 'estimated from statistics; less than 10 % is within the error. Relations from 64 KiB; --exact reads the pages',
      columns: {
        table: 'text',
        partitions: 'count',
        ...space,
        live_rows: 'count',
        dead_rows: 'count',
        last_vacuum: 'time',
        last_analyze: 'time',
      },
      rows: shown(tables).map((row) => ({ ...row })),
    },
    {
      title: 'indexes',
      columns: { index: 'text', table: 'text', ...space },
      rows: shown(indexes).map((row) => ({ ...row })),
    },
  ]
}
