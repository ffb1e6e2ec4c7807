import type { Queryable } from '../statement.js'
import type { Section } from './report.js'
import { ROOTS } from './roots.js'

/** Pages that statements of this database asked for, since the statistics began. */
export interface PageCounts {
  /** Found in the server's memory. */
  readonly hits: number
  /** Asked of the operating system, which may have had them. */
  readonly reads: number
}

export async function readPageCounts(database: Queryable): Promise<PageCounts> {
  const { rows } = await database.query<PageCounts>(
    'select blks_hit::float8 as hits, blks_read::float8 as reads from pg_stat_database where datname = current_database()',
  )
  return rows[0] ?? { hits: 0, reads: 0 }
}

const BY_TABLE = `
  with recursive ${ROOTS}
  select r.root::regclass::text as "table", sum(heap_blks_hit + coalesce(idx_blks_hit, 0) + coalesce(toast_blks_hit, 0))::float8 as hits,
    sum(heap_blks_read + coalesce(idx_blks_read, 0) + coalesce(toast_blks_read, 0))::float8 as reads,
    sum(pg_total_relation_size(s.relid))::float8 as bytes
  from pg_statio_user_tables s join root r on r.oid = s.relid
  group by r.root having sum(heap_blks_hit + heap_blks_read) > 0 order by reads desc, hits desc limit 15`

const SETTINGS = ['shared_buffers', 'effective_cache_size', 'work_mem', 'maintenance_work_mem', 'max_connections']

/** How much of what was read was in the server's memory, as a whole and by table. */
export async function reportCache(database: Queryable): Promise<Section[]> {
  const whole = await readPageCounts(database)
  const tables = await database.query<PageCounts & { table: string; bytes: number }>(BY_TABLE)
  const settings = await database.query<{ setting: string; value: string }>(
    'select name as setting, current_setting(name) as value from pg_settings where name = any ($1) order by name',
    [SETTINGS],
  )
  const columns = { bytes: 'bytes', hit_share: 'percent', hits: 'count', reads: 'count' } as const
  const shareOf = ({ hits, reads }: PageCounts) => (hits + reads === 0 ? null : hits / (hits + reads))
  return [
    {
      title: 'pages found in memory',
      note: 'below 99 % under a steady load shared_buffers may be too small',
      columns: { table: 'text', ...columns },
      rows: [
        { table: 'everything', bytes: null, hit_share: shareOf(whole), ...whole },
        ...tables.rows.map((row) => ({ ...row, hit_share: shareOf(row) })),
      ],
    },
    { title: 'settings', columns: { setting: 'text', value: 'text' }, rows: settings.rows },
  ]
}

const CONNECTIONS = `
  select coalesce(nullif(application_name, ''), '(none)') as application, coalesce(state, '-') as state, count(*)::float8 as connections,
    count(*) filter (where wait_event_type = 'Lock')::float8 as waiting_for_locks,
    (extract(epoch from max(clock_timestamp() - xact_start)) * 1000)::float8 as longest_transaction_ms
  from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
  group by 1, 2 order by 1, 2`

/** Who is connected, and what they wait for. The pools' own figures are metrics of each service. */
export async function reportConnections(database: Queryable): Promise<Section[]> {
  const { rows } = await database.query<Record<string, string | number | null>>(CONNECTIONS)
  return [
    {
      title: 'connections',
      columns: {
        application: 'text',
        state: 'text',
        connections: 'count',
        waiting_for_locks: 'count',
        longest_transaction_ms: 'ms',
      },
      rows,
    },
  ]
}
