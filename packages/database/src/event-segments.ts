import { createLike, dayBounds, dayPartitionName, lockPartitions, type Transactional } from './day-partitions.js'
import { databaseErrors } from './errors.js'
import type { Transaction } from './transaction.js'

/** Rows of a day between two looks at the size of its table: a look costs less than storing them. */
const LOOK_ROWS = 1_000
/** Splitting a day and adding to it hold up its readers and writers while they wait for their lock: so they do not wait long, and come again. */
const LOCK_TIMEOUT = '100ms'
/** A segment is full at the earliest with this share of its day, so that a day of a hundred times the rows has but twenty segments more. */
const DAY_SHARE = 1 / 5

export interface EventSegmentsConfig {
  /** A table with fewer bytes, its indexes not counted, is not followed by another. */
  readonly bytesMin: number
}

interface OpenTable {
  /** null: the day's own table. */
  segment: string | null
  /** Rows since the last look. */
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
 * Where a day's events are to be copied to. A day begins as one table; when that has `bytesMin` bytes it becomes the parent of segments, of which it
 * is the first, and another follows whenever the newest has `bytesMin` bytes and a fifth of its day's. All processes write to the newest; one that does not know it yet writes to an older
 * one, or by the day's name to the first, and the rows count no less there. One a process.
 */
export class EventSegments {
  readonly #config: EventSegmentsConfig
  readonly #database: Transactional
  readonly #days = new Map<number, OpenTable>()

  constructor(config: EventSegmentsConfig, database: Transactional) {
    this.#config = config
    this.#database = database
  }

  /** The table for rows of the UTC day that begins at `dayMs`, as far as is known; does not ask the server. */
  tableOf(dayMs: number): string {
    return this.#days.get(dayMs)?.segment ?? dayPartitionName('events', dayMs)
  }

  /** Takes note of rows stored in the day's table. */
  added(dayMs: number, rows: number): void {
    const day = this.#days.get(dayMs)
    if (day === undefined) this.#days.set(dayMs, { segment: null, rows })
    else day.rows += rows
  }

  /**
   * Looks at the tables that have taken many rows since the last call, and adds a segment where one is full. Safe beside others who do the same, and
   * beside readers and writers; where its lock is not to be had in a tenth of a second nothing changes until the next call. To be called every second or two.
   * @returns the segments added.
   */
  async roll(): Promise<string[]> {
    const added: string[] = []
    for (const [dayMs, day] of this.#days) {
      if (day.rows < LOOK_ROWS) continue
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

  /** Begins anew with the tables of the days: for when one turned out to be gone. */
  forget(): void {
    this.#days.clear()
  }

  async #newest(dayMs: number): Promise<NewestRow> {
    const { rows } = await this.#database.query<NewestRow>(SELECT_NEWEST, [dayPartitionName('events', dayMs)])
    return rows[0] ?? { is_split: false, name: '', bytes: -1, day_bytes: 0, segments: 0 }
  }
}

/** The size is the file's, so it holds for rows of transactions under way too. No row when the day has no table. */
const SELECT_NEWEST = `select d.relkind = 'p' as is_split, coalesce(s.relname, d.relname)::text as name, pg_relation_size(coalesce(s.oid, d.oid))::float8 as bytes,
    (sum(pg_relation_size(coalesce(s.oid, d.oid))) over ())::float8 as day_bytes,
    (select count(*) from pg_inherits where inhparent = d.oid)::float8 as segments
  from pg_class d left join pg_inherits i on i.inhparent = d.oid left join pg_class s on s.oid = i.inhrelid
  where d.oid = to_regclass($1) order by substring(s.relname from '[0-9]+$')::integer desc nulls last limit 1`

function segmentName(dayMs: number, segment: number): string {
  return `${dayPartitionName('events', dayMs)}_s${segment}`
}

/**
 * Makes the table of a day the first segment of a new table in its place. What is in it is proven to fit beforehand, beside readers and writers;
 * the exchange itself takes ACCESS EXCLUSIVE locks on `events` and on the table for some milliseconds.
 */
async function splitDay(database: Transactional, dayMs: number): Promise<void> {
  const day = dayPartitionName('events', dayMs)
  const first = segmentName(dayMs, 0)
  const proof = `${day}_is_first`
  const { from, to } = dayBounds(dayMs)
  await database.transaction(async (tx) => {
    if (!(await beginChange(tx, day))) return
    const { rows } = await tx.query('select from pg_constraint where conrelid = to_regclass($1) and conname = $2', [
      day,
      proof,
    ])
    if (rows.length > 0) return
    const fits = `segment = 0 and "timestamp" >= ${from} and "timestamp" < ${to}`
    await tx.query(`alter table ${day} add constraint ${proof} check (${fits}) not valid`)
  })
  await database.transaction(async (tx) => {
    if (await beginChange(tx, day)) await tx.query(`alter table ${day} validate constraint ${proof}`)
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
      { text: `alter table ${first} drop constraint ${proof}` },
    ])
  })
}

/** Takes the turn of those who change partitions; whether the day is still one table. */
async function beginChange(tx: Transaction, day: string): Promise<boolean> {
  await tx.query(`select set_config('lock_timeout', $1, true)`, [LOCK_TIMEOUT])
  await lockPartitions(tx, 'events')
  const { rows } = await tx.query(`select from pg_class where oid = to_regclass($1) and relkind = 'r'`, [day])
  return rows.length > 0
}

/** Adds the segment after those that were seen, unless somebody was faster. Returns the newest one. */
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
