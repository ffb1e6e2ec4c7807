// npm run bench -- dedup: what an event costs the deduplication window and the whole consumer, few ids or many; see README.md beside this file.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { migrate } from '@millrace/database'
import {
  freePort,
  removeTemporary,
  stackPostgresSettings,
  startPostgres,
  startProcess,
  startRedis,
  temporaryDirectory,
} from '@millrace/local-stack'
import pg from 'pg'
import { describeMachine } from '../lib/machine.js'
import { ROOT } from '../lib/repository.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { processFigures } from '../load/process-figures.js'
import { openSource } from './source.js'
import { measureWindows, type WindowFigures } from './window.js'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000,10000000' },
    measured: { type: 'string', default: '500000' },
    duplicates: { type: 'string', default: '0.05' },
    ids: { type: 'string', default: '1000000,10000000,50000000' },
    parts: { type: 'string', default: 'window,consumer' },
    seconds: { type: 'string' },
  },
})
const parts = values.parts.split(',')
const targets = values.rows.split(',').map(Number)
const measured = Number(values.measured)
const duplicates = Number(values.duplicates)
const MAIN = join(ROOT, 'apps/stream-consumer/dist/main.js')
const CHUNK = 20_000
const BACKLOG_MAX = 100_000

const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const windows = parts.includes('window') ? await measureWindows(values.ids.split(',').map(Number)) : []
printTable(windows)
const figures = windowFigures(windows)
if (parts.includes('consumer')) await measureConsumer()
else writeResult('dedup', { machine, windows, result: figures })

function windowFigures([first, ...more]: WindowFigures[]) {
  if (first === undefined) return {}
  const last = more.find(({ ids }) => ids === 10 * first.ids) ?? more.at(-1) ?? first
  return {
    window_ns_per_id_at_first: first.window_ns,
    window_ns_per_id_at_last: last.window_ns,
    window_ratio: round((last.window_ns ?? 0) / (first.window_ns ?? 0), 3),
    window_ids_at_first: first.ids,
    window_ids_at_last: last.ids,
    window_bytes_per_id: last.bytes_per_id,
  }
}

async function measureConsumer() {
  const directory = temporaryDirectory('millrace-dedup-')
  const stops: (() => Promise<unknown>)[] = []
  try {
    const postgres = await startPostgres({ settings: stackPostgresSettings() })
    stops.push(() => postgres.stop())
    await migrate(postgres.url)
    const redis = await startRedis()
    stops.push(() => redis.stop())
    const [adminPort, grpcPort] = [await freePort(), await freePort()]
    const consumer = await startProcess({
      name: 'stream-consumer',
      script: MAIN,
      adminPort,
      logFile: join(directory, 'stream-consumer.log'),
      env: {
        ...process.env,
        DATABASE_URL: postgres.url,
        STREAM_REDIS_URL: redis.url,
        ADMIN_PORT: String(adminPort),
        GRPC_PORT: String(grpcPort),
        DEDUP_IDS_MAX: String(Math.max(...targets) * 2),
        STREAM_WINDOW_RECORDS: '500000',
      },
    })
    stops.push(() => consumer.stop())
    const database = new pg.Client({ connectionString: postgres.url })
    await database.connect()
    stops.push(() => database.end())
    const source = await openSource(redis.url)
    stops.push(() => source.close())

    let sent = 0
    const consumed = async () => {
      const { rows } = await database.query<{ n: number; stored: number }>(
        'select coalesce(sum(stored + duplicate), 0)::float8 as n, coalesce(sum(stored), 0)::float8 as stored from ledger_consumed',
      )
      return rows[0] ?? { n: 0, stored: 0 }
    }
    const feed = async (count: number) => {
      const until = sent + count
      while (sent < until) {
        await source.send(CHUNK, duplicates)
        sent += CHUNK
        while (sent - (await consumed()).n > BACKLOG_MAX) await delay(50)
      }
      while ((await consumed()).n < sent) await delay(50)
    }
    const cpu = () => ({
      consumer: processFigures(consumer.pid).cpuSeconds,
      postgres: processFigures(postgres.pid).cpuSeconds,
    })

    await feed(100_000)
    const points = []
    for (const target of targets) {
      // Half of what is measured lies below the target and half above it.
      const missing = target - measured / 2 - (await consumed()).stored
      if (missing > 0) await feed(Math.ceil(missing / (1 - duplicates)))
      const before = cpu()
      const from = await consumed()
      const startedAt = performance.now()
      await feed(measured)
      const seconds = (performance.now() - startedAt) / 1000
      const after = cpu()
      const to = await consumed()
      const events = to.n - from.n
      points.push({
        stored_rows: target,
        events,
        duplicates: events - (to.stored - from.stored),
        consumer_us: round(((after.consumer - before.consumer) * 1e6) / events, 3),
        postgres_us: round(((after.postgres - before.postgres) * 1e6) / events, 3),
        events_per_s: round(events / seconds),
        consumer_rss_mib: round(processFigures(consumer.pid).rssMib),
      })
      printTable(points.slice(-1))
    }
    // A graceful stop gives the partitions back at once, so this is the time to load windows and to go on.
    const stoppedAt = performance.now()
    await consumer.restart()
    await feed(CHUNK)
    const takeoverSeconds = (performance.now() - stoppedAt) / 1000

    const { rows } = await database.query<{ rows: number; ids: number }>(
      'select count(*)::float8 as rows, count(distinct message_id)::float8 as ids from events',
    )
    const [table] = rows
    const { stored } = await consumed()
    const isExact = table !== undefined && table.rows === table.ids && table.rows === stored
    if (!isExact) {
      say(`FAULT: ${JSON.stringify(table)} for ${stored} stored`)
      process.exitCode = 1
    }
    const [first, last] = [points[0], points.at(-1)]
    if (first === undefined || last === undefined) throw new Error('--rows names no number of rows')
    const result = {
      ...figures,
      consumer_us_per_event_at_first: first.consumer_us,
      consumer_us_per_event_at_last: last.consumer_us,
      ratio: round((last.consumer_us ?? 0) / (first.consumer_us ?? 0), 3),
      postgres_us_per_event_at_first: first.postgres_us,
      postgres_us_per_event_at_last: last.postgres_us,
      rows_at_first: first.stored_rows,
      rows_at_last: last.stored_rows,
      restart_to_caught_up_s: round(takeoverSeconds, 2),
      every_id_once: isExact,
    }
    writeResult('dedup', { machine, windows, points, result })
  } finally {
    for (const stop of stops.reverse()) await stop()
    removeTemporary(directory)
  }
}
