import type { Queryable } from '../statement.js'
import { type PageCounts, readPageCounts } from '../statistics/page-counts.js'
import { ROOTS } from '../statistics/roots.js'
import type { Section } from './render-report.js'

const BY_TABLE = `
  with recursive ${ROOTS}
  select r.root::regclass::text as "table", sum(heap_blks_hit + coalesce(idx_blks_hit, 0) + coalesce(toast_blks_hit, 0))::float8 as hits,
    sum(heap_blks_read + coalesce(idx_blks_read, 0) + coalesce(toast_blks_read, 0))::float8 as reads,
    sum(pg_total_relation_size(s.relid))::float8 as bytes
  from pg_statio_user_tables s join root r on r.oid = s.relid
  group by r.root having sum(heap_blks_hit + heap_blks_read) > 0 order by reads desc, hits desc limit 15`

const SETTINGS = ['shared_buffers', 'effective_cache_size', 'work_mem', 'maintenance_work_mem', 'max_connections']

/** The share of read pages that were in the server's memory, in all and by table. */
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
      note: 'less than 99 % under a steady load: shared_buffers may be too small',
      columns: { table: 'text', ...columns },
      rows: [
        { table: 'everything', bytes: null, hit_share: shareOf(whole), ...whole },
        ...tables.rows.map((row) => ({ ...row, hit_share: shareOf(row) })),
      ],
    },
    { title: 'settings', columns: { setting: 'text', value: 'text' }, rows: settings.rows },
  ]
}
