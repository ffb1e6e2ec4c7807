import type { Queryable } from '../statement.js'
import { ROOTS } from './roots.js'

/** How much of a table or an index is dead. */
export interface DeadSpace {
  readonly bytes: number
  readonly dead_bytes: number
  /** Share of `bytes`, from 0 to 1. */
  readonly dead_share: number
}

/** Dead space and vacuum state of a table. */
export interface TableBloat extends DeadSpace {
  readonly table: string
  readonly partitions: number
  readonly live_rows: number
  readonly dead_rows: number
  readonly last_vacuum: string | null
  readonly last_analyze: string | null
}

/** Dead space of a B-tree. */
export interface IndexBloat extends DeadSpace {
  readonly index: string
  readonly table: string
}

/**
 * Dead space of tables, estimated from statistics: the pages that the rows would fill, by average width, header and fillfactor, compared with the actual
 * pages, as of the last VACUUM or ANALYZE. The method is that of https://github.com/ioguix/pgsql-bloat-estimation; widths
 * of a page and of a row are from https://www.postgresql.org/docs/current/storage-page-layout.html. Padding between columns is not known, so a few
 * per cent are not bloat. TOAST is left out. Partitions are added up under their table; the largest dead space comes first.
 */
const TABLES = `
  with recursive ${ROOTS},
  width as (
    select s.schemaname, s.tablename, sum((1 - s.null_frac) * s.avg_width) as data_bytes, bool_or(s.null_frac > 0) as has_nulls, count(*) as columns
      from pg_stats s where not s.inherited group by 1, 2
  ),
  page as (
    select c.oid, r.root, pg_relation_size(c.oid) as bytes, c.relpages, c.reltuples,
      coalesce(substring(c.reloptions::text from 'fillfactor=([0-9]+)')::float8, 100) / 100 as fillfactor,
      current_setting('block_size')::float8 - 24 as room,
      4 + 8 * ceil((23 + case when w.has_nulls then ceil(w.columns / 8.0) else 0 end) / 8.0) + 8 * ceil(w.data_bytes / 8.0) as row_bytes
    from pg_class c join root r on r.oid = c.oid join pg_namespace n on n.oid = c.relnamespace
      left join width w on w.schemaname = n.nspname and w.tablename = c.relname
    where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
  ),
  estimate as (
    select p.*, case when relpages > 0 and reltuples >= 0 and row_bytes is not null
      then greatest(0, bytes * (1 - least(1, ceil(reltuples * row_bytes / (room * fillfactor)) / relpages))) else 0 end as dead_bytes
    from page p
  )
  select e.root::regclass::text as "table", count(*)::int as partitions, sum(e.bytes)::float8 as bytes, sum(e.dead_bytes)::float8 as dead_bytes,
    coalesce(sum(e.dead_bytes) / nullif(sum(e.bytes), 0), 0)::float8 as dead_share, sum(s.n_live_tup)::float8 as live_rows,
    sum(s.n_dead_tup)::float8 as dead_rows, max(greatest(s.last_vacuum, s.last_autovacuum)) as last_vacuum,
    max(greatest(s.last_analyze, s.last_autoanalyze)) as last_analyze
  from estimate e left join pg_stat_all_tables s on s.relid = e.oid
  group by e.root having sum(e.bytes) > 0 order by dead_bytes desc, bytes desc`

/**
 * The same for B-trees: entries have 8 bytes of header, 8 more when a key may be null, and 4 of item pointer; a page loses 40 bytes. Keys that
 * occur more than once are stored once since PostgreSQL 13, so bloat of indexes with few distinct keys is underestimated.
 */
const INDEXES = `
  with recursive ${ROOTS},
  key as (
    select i.indexrelid, sum(coalesce((1 - s.null_frac) * s.avg_width, 8)) as data_bytes, bool_or(coalesce(s.null_frac, 0) > 0) as has_nulls
    from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace
      cross join lateral unnest(i.indkey::int2[]) k (attnum)
      left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      left join pg_stats s on s.schemaname = n.nspname and s.tablename = t.relname and s.attname = a.attname and not s.inherited
    where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    group by 1
  ),
  page as (
    select c.oid, r.root, i.indrelid, pg_relation_size(c.oid) as bytes, c.relpages, c.reltuples,
      coalesce(substring(c.reloptions::text from 'fillfactor=([0-9]+)')::float8, 90) / 100 as fillfactor,
      current_setting('block_size')::float8 - 40 as room,
      4 + case when k.has_nulls then 16 else 8 end + 8 * ceil(k.data_bytes / 8.0) as entry_bytes
    from key k join pg_index i on i.indexrelid = k.indexrelid join pg_class c on c.oid = k.indexrelid join pg_am m on m.oid = c.relam
      join root r on r.oid = c.oid
    where m.amname = 'btree' and c.relkind = 'i'
  ),
  estimate as (
    select p.*, case when relpages > 1 and reltuples >= 0
      then greatest(0, bytes * (1 - least(1, (1 + ceil(reltuples * entry_bytes / (room * fillfactor))) / relpages))) else 0 end as dead_bytes
    from page p
  )
  select e.root::regclass::text as index, min(t.root)::regclass::text as "table", sum(e.bytes)::float8 as bytes,
    sum(e.dead_bytes)::float8 as dead_bytes, coalesce(sum(e.dead_bytes) / nullif(sum(e.bytes), 0), 0)::float8 as dead_share
  from estimate e join root t on t.oid = e.indrelid
  group by e.root having sum(e.bytes) > 0 order by dead_bytes desc, bytes desc`

/** Estimated dead space of all tables, largest first. */
export async function readTableBloat(database: Queryable): Promise<TableBloat[]> {
  const { rows } = await database.query<TableBloat & { last_vacuum: Date | null; last_analyze: Date | null }>(TABLES)
  return rows.map((row) => ({
    ...row,
    last_vacuum: row.last_vacuum?.toISOString() ?? null,
    last_analyze: row.last_analyze?.toISOString() ?? null,
  }))
}

/** Estimated dead space of all B-trees, largest first. */
export async function readIndexBloat(database: Queryable): Promise<IndexBloat[]> {
  return (await database.query<IndexBloat>(INDEXES)).rows
}
