// npm run bench -- backfill: how long rollups need to catch up with a backfilled year; see README.md beside this file.
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { DAY_MS, HOUR_MS } from '@millrace/contracts'
import { removeTemporary, startStack, temporaryDirectory } from '@millrace/local-stack'
import pg from 'pg'
import { describeMachine } from '../lib/machine.js'
import { createRandom } from '../lib/random.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { messageId } from '../load/numbering.js'
import { WireConnection } from '../load/wire-connection.js'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '340000' },
    days: { type: 'string', default: '365' },
    seconds: { type: 'string' },
  },
})
const events = Number(values.events)
const days = Number(values.days)
const SEED = 1
const BATCH_EVENTS = 400
const CONNECTIONS = 8
const AIRPORTS = ['ATL', 'DEN', 'JFK', 'LAX', 'ORD', 'SFO']
const SETTINGS = {
  RATE_LIMIT_EVENTS_PER_SECOND: '100000000',
  RATE_LIMIT_BURST_EVENTS: '200000000',
  EVENTS_MAX_AGE_DAYS: String(days + 1),
  ROLLUPS: JSON.stringify([
    { event: 'Flight', property: 'properties.delay' },
    { event: 'Flight', dimensions: ['properties.origin'], property: 'properties.delay' },
  ]),
}

/** The work that PostgreSQL alone needs to build the numeric part of the same 5-minute windows from the stored rows. */
const SQL_LIMIT = `create temporary table windows_by_sql as
  select tenant_id, event, date_bin('5 minutes', "timestamp", '2000-01-01Z') as window_start, properties ->> 'origin' as origin, count(*) as count,
    sum((properties ->> 'delay')::float8) as sum, min((properties ->> 'delay')::float8) as min, max((properties ->> 'delay')::float8) as max,
    count(distinct user_id) as users
  from events group by grouping sets ((1, 2, 3), (1, 2, 3, 4))`

interface Progress {
  consumed: number
  unflushed: number
  dirty: number
}

const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const dataDir = temporaryDirectory('millrace-backfill-')
try {
  await measure()
} finally {
  removeTemporary(dataDir)
}

async function measure(): Promise<void> {
  const stack = await startStack({ say, dataDir, ports: 'free', env: SETTINGS, postgresAuth: 'trust' })
  const client = new pg.Client({ connectionString: stack.databaseUrl })
  try {
    await client.connect()
    const startedAt = performance.now()
    await sendYear(stack.url, stack.writeKey)
    const secondsSince = () => (performance.now() - startedAt) / 1000
    const sentS = secondsSince()
    let storedS: number | undefined
    let mostDirty = 0
    for (let turn = 0; ; turn++) {
      const { consumed, unflushed, dirty } = await readProgress(client)
      mostDirty = Math.max(mostDirty, dirty)
      if (storedS === undefined && consumed >= events && unflushed === 0) storedS = secondsSince()
      if (storedS !== undefined && dirty === 0) break
      if (turn % 40 === 0) say(`${consumed} of ${events} events are stored, ${dirty} rollup windows are dirty`)
      await delay(250)
    }
    const caughtUpS = secondsSince()
    const counts = await countWindows(client)
    const sqlStartedAt = performance.now()
    await client.query(SQL_LIMIT)
    const sqlS = (performance.now() - sqlStartedAt) / 1000
    const catchUpS = caughtUpS - (storedS ?? 0)
    printTable(counts.windows)
    writeResult('backfill', {
      machine,
      settings: { events, days },
      windows: counts.windows,
      result: {
        sent_s: round(sentS, 1),
        stored_s: round(storedS, 1),
        caught_up_s: round(caughtUpS, 1),
        catch_up_after_stored_s: round(catchUpS, 1),
        most_dirty_windows: mostDirty,
        windows_of_tenant: counts.total,
        windows_per_s: round(counts.total / caughtUpS),
        sql_s: round(sqlS, 1),
        ratio_to_sql: round(caughtUpS / sqlS, 1),
      },
    })
  } finally {
    await client.end()
    await stack.stop()
  }
}

async function readProgress(client: pg.Client): Promise<Progress> {
  const { rows } = await client.query<Progress>(`select
    (select coalesce(sum(stored + duplicate + dead_lettered), 0)::float8 from ledger_consumed) as consumed,
    (select coalesce(sum(next_ordinal - flushed_ordinal), 0)::float8 from stream_partitions) as unflushed,
    (select count(*)::float8 from rollup_dirty where window_start + make_interval(secs => level_seconds) <= now()) as dirty`)
  return rows[0] as Progress
}

/** Windows by level, each counted once for its tenant, however many series have a row in it. */
async function countWindows(client: pg.Client): Promise<{ total: number; windows: object[] }> {
  const { rows } = await client.query<{ level: string; rows: number; windows: number }>(
    ['5m', '1h', '1d']
      .map(
        (level) =>
          `select '${level}' as level, count(*)::float8 as rows, count(distinct (tenant_id, window_start))::float8 as windows from rollups_${level}`,
      )
      .join(' union all '),
  )
  return { total: rows.reduce((sum, row) => sum + row.windows, 0), windows: rows }
}

/** Sends the year in order of time, `BATCH_EVENTS` at a time. */
async function sendYear(url: string, writeKey: string): Promise<void> {
  const random = createRandom(SEED)
  const head = `POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${Buffer.from(`${writeKey}:`).toString('base64')}\r\nContent-Type: application/json\r\n`
  const endMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
  const stepMs = (days * DAY_MS) / events
  let next = 0
  const nextBatch = () => {
    const lines: string[] = []
    for (; lines.length < BATCH_EVENTS && next < events; next++) {
      const time = new Date(endMs - (events - next - random.next()) * stepMs).toISOString()
      const origin = AIRPORTS[Math.floor(random.next() * AIRPORTS.length)]
      lines.push(
        `{"type":"track","event":"Flight","messageId":"${messageId(SEED, next)}","userId":"u${Math.floor(random.next() * 5000)}","timestamp":"${time}","properties":{"delay":${Math.round(random.next() * 120 - 20)},"origin":"${origin}"}}`,
      )
    }
    return lines
  }
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const wire = new WireConnection(url)
      for (let lines = nextBatch(); lines.length > 0; lines = nextBatch()) {
        const body = Buffer.from(`{"batch":[${lines.join(',')}]}`)
        const request = Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body])
        for (;;) {
          const { status, body: answer } = await wire.send(request, 60_000)
          if (status === 200 && answer.includes('"rejected":[]')) break
          if (status !== 429 && status !== 503) throw new Error(`${status}: ${answer.slice(0, 500)}`)
          await delay(100)
        }
      }
      wire.close()
    }),
  )
}
