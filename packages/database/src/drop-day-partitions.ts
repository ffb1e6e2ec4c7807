import {
  dayPartitionName,
  lockPartitions,
  type PartitionedTable,
  retireStatements,
  type Transactional,
} from './day-partitions.js'
import type { Statement } from './statement.js'

/** Longest wait for writers that copy rows to a day that has just been detached. */
const LOCK_TIMEOUT = '5s'

export interface DropOptions {
  /** Whether a day's partition may be dropped; asked before it is detached. A day that may not be dropped stays whole, and the next call asks again. Default: all may. */
  readonly mayDrop?: (partition: string) => Promise<boolean>
  /**
   * Called for each detached table before it is dropped; nobody can write to it any more. The statements that it returns run in the transaction of the
   * drop. undefined leaves the table for the next call.
   */
  readonly beforeDrop?: (retired: string) => Promise<readonly Statement[] | undefined>
  /** When it aborts, no further day is begun. */
  readonly signal?: AbortSignal
}

/**
 * Retention: detaches and drops the partitions of days that end at or before `beforeMs`, oldest first, and returns their names. DETACH CONCURRENTLY waits for
 * transactions that use the table and blocks none. Writers copy rows to a day's table by its name, so a detached table gets another name before it is
 * dropped; a late row then goes to a new partition of that day. What an earlier call was interrupted in is finished first.
 */
export async function dropDayPartitionsBefore(
  database: Transactional,
  table: PartitionedTable,
  beforeMs: number,
  { mayDrop, beforeDrop, signal }: DropOptions = {},
): Promise<string[]> {
  const dropped: string[] = []
  const dropRetired = async () => {
    for (const { retired, day } of await findRetired(database, table)) {
      if (signal?.aborted === true) return
      const statements = beforeDrop === undefined ? [] : await beforeDrop(retired)
      if (statements === undefined) return
      await database.transaction((tx) => tx.pipeline([...statements, { text: `drop table ${retired}` }]))
      dropped.push(day)
    }
  }
  await retireDetached(database, table)
  await dropRetired()
  for (const { name, pending } of await findOld(database, table, beforeMs)) {
    if (signal?.aborted === true) break
    if (!pending && (await mayDrop?.(name)) === false) continue
    await database.query(`alter table ${table} detach partition ${name} ${pending ? 'finalize' : 'concurrently'}`)
    await retireDetached(database, table)
    await dropRetired()
  }
  return dropped
}

async function findOld(
  database: Transactional,
  table: PartitionedTable,
  beforeMs: number,
): Promise<{ name: string; pending: boolean }[]> {
  const { rows } = await database.query<{ name: string; pending: boolean }>(
    `select c.relname as name, i.inhdetachpending as pending from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = $1::regclass order by c.relname`,
    [table],
  )
  const limit = dayPartitionName(table, beforeMs)
  return rows.filter(({ name }) => /_\d{8}$/.test(name) && name < limit)
}

/** Gives tables of days that are detached, but not yet dropped, a name that no writer uses. */
async function retireDetached(database: Transactional, table: PartitionedTable): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query(`select set_config('lock_timeout', $1, true)`, [LOCK_TIMEOUT])
    await lockPartitions(tx, table)
    const { rows } = await tx.query<{ name: string }>(
      `select c.relname as name from pg_class c join pg_class parent on parent.oid = $1::regclass and parent.relnamespace = c.relnamespace
        where c.relkind in ('r', 'p') and c.relname ~ $2 and not exists (select from pg_inherits where inhrelid = c.oid)`,
      [table, `^${table}_[0-9]{8}$`],
    )
    for (const { name } of rows) await tx.pipeline(await retireStatements(tx, name))
  })
}

async function findRetired(
  database: Transactional,
  table: PartitionedTable,
): Promise<{ retired: string; day: string }[]> {
  const { rows } = await database.query<{ retired: string; day: string }>(
    `select c.relname as retired, substring(c.relname from $2) as day from pg_class c join pg_class parent on parent.oid = $1::regclass
      and parent.relnamespace = c.relnamespace where c.relkind in ('r', 'p') and c.relname ~ $2 order by 1`,
    [table, `^retired_(${table}_[0-9]{8})_[0-9]+$`],
  )
  return rows
}
