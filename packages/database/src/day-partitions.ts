import { ADVISORY_LOCKS, DAY_MS } from '@millrace/contracts'
import { databaseErrors } from './errors.js'
import type { Queryable, Statement } from './statement.js'
import type { Transaction } from './transaction.js'

/** Tables that are partitioned by UTC day. */
export const PARTITIONED_TABLES = ['events', 'event_journal', 'rollups_1m', 'log_chunks'] as const
/** A table of `PARTITIONED_TABLES`. */
export type PartitionedTable = (typeof PARTITIONED_TABLES)[number]

/** Settings that partitions do not inherit from their parent. */
const STORAGE: Readonly<Record<PartitionedTable, string>> = {
  // Rows never change: fill pages completely. Vacuum after every 5 million rows instead of a fifth of the table, to set the visibility map and freeze early.
  events:
    'fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 5000000, autovacuum_analyze_scale_factor = 0.2',
  event_journal:
    'fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000',
  // Current minutes are rewritten each second: leave room on the page, so that an update needs no index entry.
  rollups_1m: 'fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05',
  log_chunks: 'fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000',
}

/** The partition of the day that holds `timeMs`, for example events_20261121. */
export function dayPartitionName(table: PartitionedTable, timeMs: number): string {
  return `${table}_${new Date(timeMs).toISOString().slice(0, 10).replaceAll('-', '')}`
}

/** What creating partitions needs of a database or connection. */
export interface Transactional extends Queryable {
  transaction<T>(fn: (transaction: Transaction) => Promise<T>): Promise<T>
}

/** Creates day partitions ahead of time and remembers which exist, so that another call costs nothing. One object for each process. */
export class DayPartitions {
  readonly #database: Transactional
  readonly #known = new Set<string>()

  constructor(database: Transactional) {
    this.#database = database
  }

  /** Whether the partition is known to exist; does not ask the server. */
  isKnown(table: PartitionedTable, timeMs: number): boolean {
    return this.#known.has(`${table}:${Math.floor(timeMs / DAY_MS)}`)
  }

  /**
   * Creates the missing partitions of all days from `fromMs` to `toMs`, both included, at most 1,000 days. Runs in a transaction of its own. Safe while other
   * processes do the same and while the table is read and written.
   */
  async ensure(table: PartitionedTable, fromMs: number, toMs: number): Promise<void> {
    const missing: number[] = []
    for (let day = Math.floor(fromMs / DAY_MS); day <= Math.floor(toMs / DAY_MS); day++) {
      if (!this.#known.has(`${table}:${day}`)) missing.push(day)
    }
    if (missing.length === 0) return
    if (missing.length > 1_000) {
      throw databaseErrors.DATABASE_STATEMENT_ERROR({
        message: `${missing.length} partitions at once are too many, the limit is 1,000`,
      })
    }
    await this.#database.transaction((transaction) => createMissing(transaction, table, missing))
    for (const day of missing) this.#known.add(`${table}:${day}`)
  }

  /** Forgets which partitions exist. Call it when a partition turned out to be missing. */
  forget(): void {
    this.#known.clear()
  }
}

/**
 * Creates separate tables and attaches them: CREATE TABLE … PARTITION OF would take an ACCESS EXCLUSIVE lock on the parent, which waits for all readers and
 * writers and blocks new ones; ATTACH takes SHARE UPDATE EXCLUSIVE. Concurrent callers take turns by an advisory lock.
 */
async function createMissing(
  transaction: Transaction,
  table: PartitionedTable,
  days: readonly number[],
): Promise<void> {
  await lockPartitions(transaction, table)
  const names = days.map((day) => dayPartitionName(table, day * DAY_MS))
  const { rows } = await transaction.query<{ relname: string; is_attached: boolean; is_pending: boolean }>(
    `select c.relname, i.inhrelid is not null and not i.inhdetachpending as is_attached, coalesce(i.inhdetachpending, false) as is_pending
      from pg_class c join pg_class parent on parent.oid = $1::regclass and parent.relnamespace = c.relnamespace
      left join pg_inherits i on i.inhrelid = c.oid where c.relname = any ($2)`,
    [table, names],
  )
  for (const { relname, is_attached, is_pending } of rows) {
    if (is_attached) continue
    // Retention was interrupted while it dropped this day; it drops the old table later.
    if (is_pending) await transaction.query(`alter table ${table} detach partition ${relname} finalize`)
    await transaction.pipeline(await retireStatements(transaction, relname))
  }
  const existing = new Set(rows.filter((row) => row.is_attached).map((row) => row.relname))
  const statements = days.flatMap((day, index) =>
    existing.has(names[index] ?? '') ? [] : createStatements(table, day),
  )
  if (statements.length > 0) await transaction.pipeline(statements)
}

/** Serialises changes of a table's partitions until the end of the transaction. */
export async function lockPartitions(transaction: Transaction, table: PartitionedTable): Promise<void> {
  await transaction.query(`select pg_advisory_xact_lock(hashtext('${ADVISORY_LOCKS.partitions}'), hashtext($1))`, [
    table,
  ])
}

/** The bounds of the UTC day that begins at `dayMs`, as SQL literals. */
export function dayBounds(dayMs: number): { from: string; to: string } {
  return { from: `'${new Date(dayMs).toISOString()}'`, to: `'${new Date(dayMs + DAY_MS).toISOString()}'` }
}

/** Creates a table like `table`, not attached to it yet. */
export function createLike(table: PartitionedTable, name: string): Statement {
  return { text: `create table ${name} (like ${table} including all) with (${STORAGE[table]})` }
}

function createStatements(table: PartitionedTable, day: number): Statement[] {
  const name = dayPartitionName(table, day * DAY_MS)
  const { from, to } = dayBounds(day * DAY_MS)
  return [
    createLike(table, name),
    { text: `alter table ${table} attach partition ${name} for values from (${from}) to (${to})` },
  ]
}

/**
 * Statements that give a detached table and its segments names that no writer uses. The names end in the table's oid, so that they are free even when the
 * day was created and detached again.
 */
export async function retireStatements(transaction: Queryable, name: string): Promise<Statement[]> {
  const { rows } = await transaction.query<{ relname: string; oid: number }>(
    `select c.relname, c.oid::bigint::float8 as oid from pg_class c
      where c.oid = to_regclass($1) or c.oid in (select inhrelid from pg_inherits where inhparent = to_regclass($1))`,
    [name],
  )
  return rows.map(({ relname, oid }) => ({ text: `alter table ${relname} rename to retired_${relname}_${oid}` }))
}
