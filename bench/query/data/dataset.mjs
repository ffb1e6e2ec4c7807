import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startStack } from '@millrace/local-stack'
import pg from 'pg'
import { runJsonProcess } from '../../lib/json-process.mjs'
import { round, say } from '../../lib/results.mjs'
import { forgetFiles } from './forget-files.mjs'
import { ROLLUPS } from './model.mjs'

const LOAD = new URL('load-process.mjs', import.meta.url)
const GENERATOR = ['generate.mjs', 'model.mjs'].map((name) => readFileSync(new URL(name, import.meta.url)))
const HOUR = 3_600_000

/** Nothing is switched off; the tenant's limits of rate and of budget lie above what the scenario does, counted but never met. */
const SETTINGS = {
  RATE_LIMIT_EVENTS_PER_SECOND: '100000000',
  RATE_LIMIT_BURST_EVENTS: '200000000',
  ROLLUPS: JSON.stringify(ROLLUPS),
}
/** While history comes in, a window is over as soon as it begins: coarser windows are made without a pause. */
const LOADING = { ROLLUP_COMPACT_MS: '100' }
export const POSTGRES = { track_commit_timestamp: 'on' }

/**
 * A stack on about `rows` events of 90 days. The first time it loads them through the gateway; they are kept in a directory of their own
 * below MILLRACE_DATA_DIR or the system's temporary one, named after seed, rows and generator, so that the next run begins at once and a run
 * that was cut short goes on. `isFresh` begins anew. Migrations that are new since are applied by the start, as on any installation.
 */
export async function openDataset({ rows, seed, isFresh, instances = {} }) {
  const key = createHash('sha256').update(JSON.stringify({ rows, seed }))
  for (const source of GENERATOR) key.update(source)
  const base = process.env.MILLRACE_DATA_DIR ?? tmpdir()
  const dataDir = join(base, `millrace-query-${rows}-${key.digest('hex').slice(0, 8)}`)
  if (isFresh) rmSync(dataDir, { recursive: true, force: true })
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  const stateFile = join(dataDir, 'state.json')
  if (!existsSync(stateFile)) {
    const endMs = Math.floor(Date.now() / HOUR) * HOUR
    writeFileSync(stateFile, JSON.stringify({ endMs, sent: 0, isLoaded: false }))
  }
  const start = (more) =>
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
  if (!readState(stateFile).isPacked) {
    // Loaded before windows held their minutes: what the compactor catches up with is no part of the measurement.
    const stack = await start(LOADING)
    try {
      await settle(stack.databaseUrl, readState(stateFile).sent)
    } finally {
      await stack.stop()
    }
    writeFileSync(stateFile, JSON.stringify({ ...readState(stateFile), isPacked: true }))
  }
  const { endMs, stats } = readState(stateFile)
  const isCold = forgetFiles(dataDir)
  const stack = await start({})
  // Counting reads the whole table, so it waits until somebody asks for it.
  const describe = async () => ({ ...stats, files_forgotten: isCold, ...(await size(stack.databaseUrl)) })
  return { stack, endMs, describe }
}

async function load({ stack, stateFile, rows, seed }) {
  const { endMs } = readState(stateFile)
  const { databaseUrl, url, writeKey } = stack
  const startedAt = performance.now()
  const { sent } = await runJsonProcess(LOAD, { databaseUrl, url, writeKey, stateFile, rows, seed, endMs })
  await settle(databaseUrl, sent)
  const seconds = (performance.now() - startedAt) / 1000
  say(`${sent} events were sent and settled after ${round(seconds)} s`)
  const stats = { loaded_by: 'HTTP, gateway, stream, consumer', load_seconds: round(seconds) }
  writeFileSync(stateFile, JSON.stringify({ ...readState(stateFile), isLoaded: true, isPacked: true, stats }))
}

/** Waits until all that was sent is stored and counted, and every window that is over has been made from its finer ones, with its minutes. */
async function settle(databaseUrl, sent) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    for (let round = 0; ; round++) {
      const { rows } = await client.query(`select
        (select coalesce(sum(stored + duplicate + dead_lettered), 0)::float8 from ledger_consumed) as consumed,
        (select coalesce(sum(next_ordinal - flushed_ordinal), 0)::float8 from stream_partitions) as unflushed,
        (select count(*)::float8 from rollup_dirty where window_start + make_interval(secs => level_seconds) <= now()) as dirty,
        exists (select from rollups_5m where minutes is null) as has_unpacked`)
      const { consumed, unflushed, dirty, has_unpacked } = rows[0]
      if (consumed >= sent && unflushed === 0 && dirty === 0 && !has_unpacked) break
      if (round % 50 === 0)
        say(
          `${Math.max(0, sent - consumed)} events are not stored yet, ${dirty} windows wait for their making${has_unpacked ? ', others for the packing of their minutes' : ''}`,
        )
      await delay(200)
    }
    say('vacuum analyze')
    await client.query('vacuum analyze')
  } finally {
    await client.end()
  }
}

async function size(databaseUrl) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query(`select (select count(*)::float8 from events) as stored_rows,
      (select count(*)::float8 from rollups_1m) as rollup_minutes, (select count(*)::float8 from rollup_series) as rollup_series,
      pg_database_size(current_database())::float8 / 1048576 as database_mib`)
    return { ...rows[0], database_mib: round(rows[0].database_mib) }
  } finally {
    await client.end()
  }
}

function readState(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}
