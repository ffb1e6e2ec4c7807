import { createLike, dayBounds, dayPartitionName, lockPartitions, type Transactional } from './day-partitions.js'
import { databaseErrors } from './errors.js'
import type { Transaction } from './transaction.js'

/** The size of a day's table is read after this many new rows; reading it costs less than storing them. */
const CHECK_ROWS = 1_000
/** While a change of partitions waits for its lock, other statements queue behind it. So it waits a short time and is tried again later. */
const LOCK_TIMEOUT = '100ms'
/** A segment also has to hold this share of its day before the next is added, so that even a day of a hundred times the rows has only twenty more. */
const DAY_SHARE = 1 / 5

/** When a day gets another segment. */
export interface EventSegmentsConfig {
  /** A segment is added when the newest table has at least this many bytes, without indexes. */
  readonly bytesMin: number
}

interface OpenTable {
  /** null: the table of the day itself. */
  segment: string | null
  /** Rows since the size was read. */
  rows: number
}

interface NewestRow {
  readonly is_split: boolean
  readonly name: string
  readonly bytes: number
  readonly day_bytes: number
  readonly segments: number
}

/**
 * Names the table that a day's events are copied to. A day starts as one table. When that has `bytesMin` bytes, a parent takes its place and it becomes the first
 * segment; another segment is added whenever the newest has `bytesMin` bytes and a fifth of the day's bytes. All processes write to the newest
 * segment. A process that does not know it yet writes to an older one, or by the day's name to the first one, which is just as correct. One object for each process.
 */
export class EventSegments {
  readonly #config: EventSegmentsConfig
  readonly #database: Transactional
  readonly #days = new Map<number, OpenTable>()

  constructor(config: EventSegmentsConfig, database: Transactional) {
    this.#config = config
    this.#database = database
  }

  /** The newest known table for rows of the UTC day that begins at `dayMs`; does not ask the server. */
  tableOf(dayMs: number): string {
    return this.#days.get(dayMs)?.segment ?? dayPartitionName('events', dayMs)
  }

  /** Counts rows that were stored in the day. */
  added(dayMs: number, rows: number): void {
    const day = this.#days.get(dayMs)
    if (day === undefined) this.#days.set(dayMs, { segment: null, rows })
    else day.rows += rows
  }

  /**
   * Reads the sizes of tables with many new rows and adds a segment where one is full. Call it every second or two. Safe while other processes do the same and
   * while readers and writers use the table; if a lock is not granted within 0.1 s, nothing changes until the next call.
   * @returns the segments added
   */
  async roll(): Promise<string[]> {
    const added: string[] = []
    for (const [dayMs, day] of this.#days) {
      if (day.rows < CHECK_ROWS) continue
      day.rows = 0
      try {
        const newest = await this.#newest(dayMs)
        if (newest.is_split) day.segment = newest.name
        if (newest.bytes < Math.max(this.#config.bytesMin, newest.day_bytes * DAY_SHARE)) continue
        if (!newest.is_split) await splitDay(this.#database, dayMs)
        day.segment = await addSegment(this.#database, dayMs, newest.segments)
        added.push(day.segment)
      } catch (error) {
        if (!databaseErrors.DATABASE_LOCK_TIMEOUT.matches(error)) throw error
      }
    }
    return added
  }

  /** Forgets all segments. Call it when a table turned out to be missing. */
  forget(): void {
    this.#days.clear()
  }

  async #newest(dayMs: number): Promise<NewestRow> {
    const { rows } = await this.#database.query<NewestRow>(SELECT_NEWEST, [dayPartitionName('events', dayMs)])
    return rows[0] ?? { is_split: false, name: '', bytes: -1, day_bytes: 0, segments: 0 }
  }
}

/** Sizes are those of the files, so they include rows of open transactions. Returns no row when the day has no table. */
const SELECT_NEWEST = `select d.relkind = 'p' as is_split, coalesce(s.relname, d.relname)::text as name, pg_relation_size(coalesce(s.oid, d.oid))::float8 as bytes,
    (sum(pg_relation_size(coalesce(s.oid, d.oid))) over ())::float8 as day_bytes,
    (select count(*) from pg_inherits where inhparent = d.oid)::float8 as segments
  from pg_class d left join pg_inherits i on i.inhparent = d.oid left join pg_class s on s.oid = i.inhrelid
  where d.oid = to_regclass($1) order by substring(s.relname from '[0-9]+$')::integer desc nulls last limit 1`

function segmentName(dayMs: number, segment: number): string {
  return `${dayPartitionName('events', dayMs)}_s${segment}`
}

/**
 * Puts a partitioned table in the place of the day's table, which becomes its first segment. A check constraint is validated first, without blocking readers
 * and writers; it spares ATTACH the scan. The exchange takes ACCESS EXCLUSIVE locks on `events` and on the table for a few milliseconds.
 */
async function splitDay(database: Transactional, dayMs: number): Promise<void> {
  const day = dayPartitionName('events', dayMs)
  const first = segmentName(dayMs, 0)
  const fitsCheck = `${day}_is_first`
  const { from, to } = dayBounds(dayMs)
  await database.transaction(async (tx) => {
    if (!(await beginChange(tx, day))) return
    const { rows } = await tx.query('select from pg_constraint where conrelid = to_regclass($1) and conname = $2', [
      day,
      fitsCheck,
    ])
    if (rows.length > 0) return
    const fits = `segment = 0 and "timestamp" >= ${from} and "timestamp" < ${to}`
    await tx.query(`alter table ${day} add constraint ${fitsCheck} check (${fits}) not valid`)
  })
  await database.transaction(async (tx) => {
    if (await beginChange(tx, day)) await tx.query(`alter table ${day} validate constraint ${fitsCheck}`)
  })
  await database.transaction(async (tx) => {
    if (!(await beginChange(tx, day))) return
    await tx.pipeline([
      { text: `alter table events detach partition ${day}` },
      { text: `alter table ${day} rename to ${first}` },
      {
        text: `create table ${day} (like events including defaults including constraints) partition by list (segment)`,
      },
      { text: `alter table ${day} attach partition ${first} for values in (0)` },
      { text: `alter table events attach partition ${day} for values from (${from}) to (${to})` },
      { text: `alter table ${first} drop constraint ${fitsCheck}` },
    ])
  })
}

/** Takes the lock for changing partitions. Returns whether the day is still a single table. */
async function beginChange(tx: Transaction, day: string): Promise<boolean> {
  await tx.query(`select set_config('lock_timeout', $1, true)`, [LOCK_TIMEOUT])
  await lockPartitions(tx, 'events')
  const { rows } = await tx.query(`select from pg_class where oid = to_regclass($1) and relkind = 'r'`, [day])
  return rows.length > 0
}

/** Adds a segment, unless another process has added one since `seen` were counted. Returns the newest one. */
async function addSegment(database: Transactional, dayMs: number, seen: number): Promise<string> {
  return database.transaction(async (tx) => {
    await tx.query(`select set_config('lock_timeout', $1, true)`, [LOCK_TIMEOUT])
    await lockPartitions(tx, 'events')
    const day = dayPartitionName('events', dayMs)
    const { rows } = await tx.query<{ segments: number }>(
      'select count(*)::float8 as segments from pg_inherits where inhparent = to_regclass($1)',
      [day],
    )
    const segments = rows[0]?.segments ?? 0
    if (segments > Math.max(1, seen)) return segmentName(dayMs, segments - 1)
    const name = segmentName(dayMs, segments)
    await tx.pipeline([
      createLike('events', name),
      { text: `alter table ${name} alter column segment set default ${segments}` },
      { text: `alter table ${day} attach partition ${name} for values in (${segments})` },
    ])
    return name
  })
}
