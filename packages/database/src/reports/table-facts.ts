import type { Queryable } from '../statement.js'
import { ROOTS } from '../statistics/roots.js'
import type { TableFacts } from './advise-index.js'

const TABLES = `
  with recursive ${ROOTS}
  select c.relname as relation, r.root::regclass::text as "table", greatest(c.reltuples, 0)::float8 as rows, c.relpages::float8 as pages
  from pg_class c join root r on r.oid = c.oid join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')`

/** For partitions the largest number counts, because all have the same kinds of values. Negative n_distinct are shares of the rows. */
const COLUMNS = `
  with recursive ${ROOTS}
  select r.root::regclass::text as "table", a.attname as name,
    max(coalesce(case when s.n_distinct < 0 then -s.n_distinct * greatest(c.reltuples, 0) else s.n_distinct end, 1))::float8 as "distinct"
  from pg_class c join root r on r.oid = c.oid join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname and not s.inherited
  where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
  group by 1, 2`

const INDEXES = `
  select i.indrelid::regclass::text as "table", array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k (attnum, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum order by k.place) as columns
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
  where m.amname = 'btree' and not c.relispartition and i.indpred is null`

/** Reads the facts of all tables. The returned function finds them by the name of the table or of a partition. */
export async function readTableFacts(
  database: Queryable,
): Promise<(relation: string) => { table: string; facts: TableFacts } | undefined> {
  const tables = await database.query<{ relation: string; table: string; rows: number; pages: number }>(TABLES)
  const columns = await database.query<{ table: string; name: string; distinct: number }>(COLUMNS)
  const indexes = await database.query<{ table: string; columns: string[] }>(INDEXES)
  const facts = new Map<string, TableFacts>()
  for (const { table } of tables.rows) {
    if (facts.has(table)) continue
    const own = tables.rows.filter((row) => row.table === table)
    facts.set(table, {
      rows: own.reduce((sum, { rows }) => sum + rows, 0),
      pages: own.reduce((sum, { pages }) => sum + pages, 0),
      distinct: new Map(columns.rows.flatMap((row) => (row.table === table ? [[row.name, row.distinct]] : []))),
      indexes: indexes.rows.flatMap((row) => (row.table === table ? [row.columns] : [])),
    })
  }
  const roots = new Map(tables.rows.map(({ relation, table }) => [relation, table]))
  return (relation) => {
    const table = roots.get(relation)
    const found = table === undefined ? undefined : facts.get(table)
    return table === undefined || found === undefined ? undefined : { table, facts: found }
  }
}
