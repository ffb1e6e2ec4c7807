import type { Connection } from './connection.js'
import { lockPartitions } from './day-partitions.js'

/** The index of `events` by partition and position in the stream. Only the mirror to Kafka reads by it, so no migration creates it. */
const INDEX = 'events_position'
/** While the statement waits for its lock, writers that name `events` itself queue behind it. */
const LOCK_TIMEOUT = '2s'

interface UnindexedTable {
  readonly name: string
  readonly is_leaf: boolean
  /** The index of the parent table to which the index of this table is attached. */
  readonly parent_index: string
  /** An earlier call was interrupted while it built the index of this table. */
  readonly is_broken: boolean
}

/**
 * Creates the index of `events` by (partition, position) on all days that exist; days that are created later get it by themselves. Writers are not blocked:
 * the index of each table is built with CREATE INDEX CONCURRENTLY, which reads the table twice. Continues what was interrupted. Resolves with false when the
 * signal stopped it between two tables. The connection must have no statement timeout, and only one process may call this at a time.
 * @throws databaseErrors.DATABASE_LOCK_TIMEOUT when somebody holds a lock on `events` for seconds, and other errors when a table was dropped or split
 * meanwhile: call it again.
 */
export async function ensureEventPositionIndex(
  connection: Pick<Connection, 'query' | 'transaction'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (await hasEventPositionIndex(connection)) return true
  await connection.transaction(async (tx) => {
    await tx.query(`select set_config('lock_timeout', $1, true)`, [LOCK_TIMEOUT])
    await lockPartitions(tx, 'events')
    await tx.query(`create index if not exists ${INDEX} on only events (partition, position)`)
  })
  while (!signal.aborted) {
    const { rows } = await connection.query<UnindexedTable>(NEXT_UNINDEXED)
    const [table] = rows
    if (table === undefined) return true
    await indexTable(connection, table)
  }
  return false
}

/** Whether the index is there and complete. */
export async function hasEventPositionIndex(connection: Pick<Connection, 'query'>): Promise<boolean> {
  const { rows } = await connection.query<{ is_valid: boolean }>(
    'select indisvalid as is_valid from pg_index where indexrelid = to_regclass($1)',
    [INDEX],
  )
  return rows[0]?.is_valid === true
}

/** The newest table below `events` that has no index attached; the parent of segments before its segments, whose indexes are attached to its own. */
const NEXT_UNINDEXED = `with indexed as (
    select i.indrelid as table_id, i.indexrelid as index_id from pg_partition_tree('${INDEX}') x join pg_index i on i.indexrelid = x.relid)
  select t.relid::regclass::text as name, t.isleaf as is_leaf, p.index_id::regclass::text as parent_index,
    exists (select from pg_index b where b.indexrelid = to_regclass(t.relid::regclass::text || '_position') and not b.indisvalid) as is_broken
  from pg_partition_tree('events') t join indexed p on p.table_id = t.parentrelid
  where t.relid not in (select table_id from indexed) order by t.level, name desc limit 1`

async function indexTable(
  connection: Pick<Connection, 'query'>,
  { name, is_leaf, parent_index, is_broken }: UnindexedTable,
): Promise<void> {
  const index = `${name}_position`
  if (!is_leaf) {
    await connection.query(`create index if not exists ${index} on only ${name} (partition, position)`)
  } else {
    if (is_broken) await connection.query(`drop index concurrently if exists ${index}`)
    await connection.query(`create index concurrently if not exists ${index} on ${name} (partition, position)`)
  }
  await connection.query(`alter index ${parent_index} attach partition ${index}`)
}
