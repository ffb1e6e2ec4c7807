import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HOUR_MS } from '@millrace/contracts'
import { type Stack, startStack } from '@millrace/local-stack'
import pg from 'pg'
import { runJsonProcess } from '../../lib/json-process.js'
import { round, say } from '../../lib/results.js'
import { forgetFiles } from './forget-files.js'
import type { DatasetState, LoadTask } from './load-task.js'
import { ROLLUPS } from './model.js'

const LOAD = new URL('load-process.js', import.meta.url)
const GENERATOR = ['generate.js', 'model.js'].map((name) => readFileSync(new URL(name, import.meta.url)))

/** Nothing is switched off; the tenant's limits of rate and of budget lie above what the scenario does, counted but never met. */
const SETTINGS = {
  RATE_LIMIT_EVENTS_PER_SECOND: '100000000',
  RATE_LIMIT_BURST_EVENTS: '200000000',
  ROLLUPS: JSON.stringify(ROLLUPS),
}
/** While history comes in, a window is over as soon as it begins: coarser windows are made without a pause, and days are packed without one. */
const LOADING = { ROLLUP_COMPACT_MS: '100', PACK_DAYS_INTERVAL_MS: '1000' }
export const POSTGRES = { track_commit_timestamp: 'on' }

interface Unsettled {
  consumed: number
  unflushed: number
  dirty: number
  has_unpacked: boolean
  unpacked_days: number
}

interface TableSizes {
  stored_rows: number
  rollup_minutes: number
  rollup_series: number
  database_mib: number
}

export interface DatasetOptions {
  rows: number
  seed: number
  /** Whether to delete the data set and load it anew. */
  isFresh: boolean
  instances?: Record<string, number>
}

export interface Dataset {
  stack: Stack
  endMs: number
  /** Sizes of the tables, and how the data was loaded. */
  describe(): Promise<object>
}

interface LoadOptions {
  stack: Stack
  stateFile: string
  rows: number
  seed: number
}

/**
 * A stack on about `rows` events of 90 days. The first time it loads them through the gateway; they are kept in a directory of their own
 * below MILLRACE_DATA_DIR or the system's temporary one, named after seed, rows and generator, so that the next run begins at once and a run
 * that was cut short goes on. `isFresh` begins anew. Migrations that are new since are applied by the start, as on any installation.
 */
export async function openDataset({ rows, seed, isFresh, instances = {} }: DatasetOptions): Promise<Dataset> {
  const key = createHash('sha256').update(JSON.stringify({ rows, seed }))
  for (const source of GENERATOR) key.update(source)
  const base = process.env.MILLRACE_DATA_DIR ?? tmpdir()
  const dataDir = join(base, `millrace-query-${rows}-${key.digest('hex').slice(0, 8)}`)
  if (isFresh) rmSync(dataDir, { recursive: true, force: true })
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  const stateFile = join(dataDir, 'state.json')
  if (!existsSync(stateFile)) {
    const endMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
    writeFileSync(stateFile, JSON.stringify({ endMs, sent: 0, isLoaded: false }))
  }
  const start = (more: Record<string, string>) =>
    startStack({
      say,
      dataDir,
      ports: 'free',
      instances,
      env: { ...SETTINGS, ...more },
      // Without the watch for repeated statements, which is for development and notes a stack trace a statement.
      serviceEnv: { 'analytics-query': { NODE_ENV: 'production', ADMIN_TOKEN: randomUUID() } },
      postgresSettings: POSTGRES,
      postgresAuth: 'trust',
    })
  if (!readState(stateFile).isLoaded) {
    const stack = await start(LOADING)
    try {
      await load({ stack, stateFile, rows, seed })
    } finally {
      await stack.stop()
    }
  }
  if (!readState(stateFile).isSettled) {
    // What the last run has stored, most of it late, and what its questions wish for: catching up with that is no part of the measurement.
    const stack = await start(LOADING)
    try {
      await settle(stack.databaseUrl, readState(stateFile).sent)
    } finally {
      await stack.stop()
    }
  }
  writeFileSync(stateFile, JSON.stringify({ ...readState(stateFile), isSettled: false }))
  const { endMs, stats } = readState(stateFile)
  const isCold = forgetFiles(dataDir)
  const stack = await start({})
  // Counting reads the whole table, so it waits until somebody asks for it.
  const describe = async () => ({ ...stats, files_forgotten: isCold, ...(await size(stack.databaseUrl)) })
  return { stack, endMs, describe }
}

async function load({ stack, stateFile, rows, seed }: LoadOptions): Promise<void> {
  const { endMs } = readState(stateFile)
  const { databaseUrl, url, writeKey } = stack
  const startedAt = performance.now()
  const task: LoadTask = { databaseUrl, url, writeKey, stateFile, rows, seed, endMs }
  const { sent } = await runJsonProcess<{ sent: number }>(LOAD, task)
  await settle(databaseUrl, sent)
  const seconds = (performance.now() - startedAt) / 1000
  say(`${sent} events were sent and settled after ${round(seconds)} s`)
  const stats = { loaded_by: 'HTTP, gateway, stream, consumer', load_seconds: round(seconds) }
  writeFileSync(stateFile, JSON.stringify({ ...readState(stateFile), isLoaded: true, isSettled: true, stats }))
}

/** Days and pieces of days that are to be packed, as far as events are there and no late one has changed them since. */
const UNPACKED_DAYS = `
  (select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'events'::regclass and c.relname ~ '^events_[0-9]{8}$' and c.reltuples > 0
      and to_date(right(c.relname, 8), 'YYYYMMDD') < (select min(watermark) from stream_partitions) - interval '25 hours'
      and not exists (select from journey_days d where d.day = to_date(right(c.relname, 8), 'YYYYMMDD')))
  + (select count(distinct (w.tenant_id, w.day)) from window_versions w join journey_days d on d.day = w.day
      left join journey_marks m on m.tenant_id = w.tenant_id and m.day = w.day and left(m.event, 500) = w.event
      where w.changed_xid >= coalesce(m.as_of_xid, d.as_of_xid))
  + (select count(distinct (c.id, d.day)) from journey_cuts c join journey_days d on d.day >= c.from_day
      left join journey_cut_marks m on m.cut_id = c.id and m.day = d.day
      where m.day is null or exists (select from window_versions w where w.tenant_id = c.tenant_id and w.day = d.day
        and (c.event = '' or w.event = left(c.event, 500)) and w.changed_xid >= m.as_of_xid))`

/**
 * Waits until all that was sent is stored and counted, every window that is over has been made from its finer ones, with its minutes, and every day
 * is packed as it is and as it was asked for.
 */
async function settle(databaseUrl: string, sent: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    for (let round = 0; ; round++) {
      const { rows } = await client.query<Unsettled>(`select
        (select coalesce(sum(stored + duplicate + dead_lettered), 0)::float8 from ledger_consumed) as consumed,
        (select coalesce(sum(next_ordinal - flushed_ordinal), 0)::float8 from stream_partitions) as unflushed,
        (select count(*)::float8 from rollup_dirty where window_start + make_interval(secs => level_seconds) <= now()) as dirty,
        exists (select from rollups_5m where minutes is null) as has_unpacked,
        (${UNPACKED_DAYS})::float8 as unpacked_days`)
      const { consumed, unflushed, dirty, has_unpacked, unpacked_days } = rows[0] as Unsettled
      if (consumed >= sent && unflushed === 0 && dirty === 0 && !has_unpacked && unpacked_days === 0) break
      if (round % 50 === 0)
        say(
          `${Math.max(0, sent - consumed)} events are not stored yet, ${dirty} windows wait for their making${has_unpacked ? ', others for the packing of their minutes' : ''}, ${unpacked_days} days or cuts of days for their packing`,
        )
      await delay(500)
    }
    say('vacuum analyze')
    await client.query('vacuum analyze')
  } finally {
    await client.end()
  }
}

async function size(databaseUrl: string): Promise<TableSizes> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<TableSizes>(`select (select count(*)::float8 from events) as stored_rows,
      (select count(*)::float8 from rollups_1m) as rollup_minutes, (select count(*)::float8 from rollup_series) as rollup_series,
      pg_database_size(current_database())::float8 / 1048576 as database_mib`)
    const sizes = rows[0] as TableSizes
    return { ...sizes, database_mib: Math.round(sizes.database_mib) }
  } finally {
    await client.end()
  }
}

function readState(file: string): DatasetState {
  return JSON.parse(readFileSync(file, 'utf8')) as DatasetState
}
