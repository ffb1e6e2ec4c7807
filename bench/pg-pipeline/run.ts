// Compares the pipeline of packages/database with the `pipeline` mode of pg and with pg's default mode, in turns on one PostgreSQL.
// Usage: npm run bench -- pg-pipeline [--seconds N]
import { connect as connectTo, createServer } from 'node:net'
import { type Connection, openDatabase, type Statement } from '@millrace/database'
import { freePort, startPostgres } from '@millrace/local-stack'
import pg from 'pg'
import copyStreams from 'pg-copy-streams'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'

const option = process.argv.indexOf('--seconds')
const seconds = option < 0 ? 20 : Number(process.argv[option + 1])
const STATEMENTS = [1, 10, 100]
/** Answers wait this long, so that all that a client sends without waiting arrives before the first of them. */
const DELAY_MS = 20
const SELECT = 'select $1::integer + 1 as next'
const WAYS = ['ours', 'pg pipeline', 'pg default'] as const
type Way = (typeof WAYS)[number]
type Transaction = (count: number) => Promise<unknown>

/** Forwards a port and counts round trips: how often a client sends after the server has answered. Answers are delayed. */
async function startCounter(port: number): Promise<{ port: number; trips: () => number; stop: () => void }> {
  const ownPort = await freePort()
  let trips = 0
  const server = createServer({ noDelay: true }, (client) => {
    const target = connectTo({ port, host: '127.0.0.1', noDelay: true })
    let hasAnswered = true
    client.on('data', (bytes) => {
      if (hasAnswered) trips++
      hasAnswered = false
      target.write(bytes)
    })
    target.on('data', (bytes) =>
      setTimeout(() => {
        hasAnswered = true
        client.write(bytes)
      }, DELAY_MS),
    )
    client.on('close', () => target.destroy())
    client.on('error', () => target.destroy())
    target.on('error', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(ownPort, '127.0.0.1', resolve))
  return { port: ownPort, trips: () => trips, stop: () => server.close() }
}

const statement = (value: number): Statement => ({ name: 'next', text: SELECT, values: [value] })
const named = (value: number) => ({ name: 'next', text: SELECT, values: [value] })
const range = (count: number) => Array.from({ length: count }, (_, index) => index)

/** A read-only transaction of `count` prepared statements, in each of the three ways. */
function transactions(connection: Connection, pipelined: pg.Client, plain: pg.Client): Record<Way, Transaction> {
  return {
    ours: (count) => connection.transaction((tx) => tx.finish(range(count).map(statement)), { readOnly: true }),
    'pg pipeline': (count) =>
      Promise.all([
        pipelined.query('begin read only'),
        ...range(count).map((value) => pipelined.query(named(value))),
        pipelined.query('commit'),
      ]),
    'pg default': async (count) => {
      await plain.query('begin read only')
      for (const value of range(count)) await plain.query(named(value))
      await plain.query('commit')
    },
  }
}

async function withClients<T>(
  url: string,
  work: (clients: { connection: Connection; pipelined: pg.Client; plain: pg.Client }) => Promise<T>,
): Promise<T> {
  const database = openDatabase({ url })
  const connection = await database.connection()
  const pipelined = new pg.Client({ connectionString: url, pipeline: true })
  const plain = new pg.Client({ connectionString: url })
  await Promise.all([pipelined.connect(), plain.connect()])
  try {
    return await work({ connection, pipelined, plain })
  } finally {
    await Promise.all([connection.close(), pipelined.end(), plain.end()])
    await database.close()
  }
}

/** The tenth percentile: what is slower than that waited for the other core of a shared machine. */
const typical = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 10)] ?? Number.NaN

async function measureTimes(url: string) {
  return await withClients(url, async ({ connection, pipelined, plain }) => {
    const ways = transactions(connection, pipelined, plain)
    const rows = []
    for (const count of STATEMENTS) {
      const times: Record<Way, number[]> = { ours: [], 'pg pipeline': [], 'pg default': [] }
      const until = performance.now() + (seconds * 1000) / STATEMENTS.length
      while (performance.now() < until || times.ours.length < 20)
        for (const way of WAYS) {
          const startedAt = performance.now()
          await ways[way](count)
          times[way].push(((performance.now() - startedAt) * 1000) / count)
        }
      rows.push({
        statements: count,
        ours: round(typical(times.ours), 1),
        'pg pipeline': round(typical(times['pg pipeline']), 1),
        'pg default': round(typical(times['pg default']), 1),
      })
    }
    return rows
  })
}

/** Of a transaction with ten statements. */
async function countRoundTrips(url: string, trips: () => number) {
  return await withClients(url, async ({ connection, pipelined, plain }) => {
    const ways = transactions(connection, pipelined, plain)
    const counts: Partial<Record<Way, number>> = {}
    for (const way of WAYS) {
      await ways[way](10)
      const before = trips()
      await ways[way](10)
      counts[way] = trips() - before
    }
    return counts
  })
}

/** What follows an error, a cancellation and a COPY in each pipeline. */
async function compareSemantics(url: string) {
  return await withClients(url, async ({ connection, pipelined, plain }) => {
    const INSERTS = ['insert into kept values (1)', 'select 1 / 0', 'insert into kept values (2)']
    const keptRows = async () =>
      (await plain.query('select n from kept order by n')).rows.map(({ n }: { n: number }) => n)
    const empty = async () => plain.query('truncate kept')
    await plain.query('create table kept (n integer)')

    await Promise.allSettled(INSERTS.map((text) => pipelined.query(text)))
    const afterErrorPg = await keptRows()
    await empty()
    await connection.transaction((tx) => tx.pipeline(INSERTS.map((text) => ({ text })))).catch(() => undefined)
    const afterErrorOurs = await keptRows()
    await empty()

    const inTransaction = await Promise.allSettled(['begin', ...INSERTS, 'commit'].map((text) => pipelined.query(text)))
    const commit = inTransaction.at(-1)
    const commitPg = commit?.status === 'fulfilled' ? commit.value.command : 'an error'
    await empty()

    const { rows } = await pipelined.query<{ pid: number }>('select pg_backend_pid() as pid')
    const sleeping = Promise.allSettled(
      ['select pg_sleep(60)', 'insert into kept values (3)'].map((text) => pipelined.query(text)),
    )
    await new Promise((resolve) => setTimeout(resolve, 200))
    await plain.query('select pg_cancel_backend($1)', [rows[0]?.pid])
    await sleeping
    const afterCancelPg = await keptRows()
    await empty()

    const copy = copyStreams.from('copy kept from stdin')
    const copied = await new Promise<string>((resolve) => {
      copy.on('error', (error) => resolve(error.message))
      copy.on('finish', () => resolve('stored'))
      pipelined.query(copy)
      copy.end('4\n')
    })
    return { afterErrorPg, afterErrorOurs, commitPg, afterCancelPg, copied }
  })
}

const postgres = await startPostgres()
const counter = await startCounter(Number(new URL(postgres.url).port))
try {
  const url = new URL(postgres.url)
  const microseconds = await measureTimes(postgres.url)
  say('microseconds a statement, tenth percentiles, in a read-only transaction that is sent whole')
  printTable(microseconds)
  url.port = String(counter.port)
  const roundTrips = await countRoundTrips(url.href, counter.trips)
  say(`round trips of a transaction with 10 statements: ${JSON.stringify(roundTrips)}`)
  const semantics = await compareSemantics(postgres.url)
  say(
    `rows left by insert 1, an error, insert 2: pg pipeline ${JSON.stringify(semantics.afterErrorPg)}, ours ${JSON.stringify(semantics.afterErrorOurs)}`,
  )
  say(`COMMIT behind a failed statement in pg's pipeline is answered by ${semantics.commitPg}`)
  say(
    `rows left by a cancelled statement and an insert behind it in pg's pipeline: ${JSON.stringify(semantics.afterCancelPg)}`,
  )
  say(`COPY in pg's pipeline: ${semantics.copied}`)
  writeResult('pg-pipeline', {
    machine: describeMachine(),
    microseconds,
    semantics,
    result: {
      ours_us: microseconds.at(-1)?.ours,
      pg_pipeline_us: microseconds.at(-1)?.['pg pipeline'],
      pg_default_us: microseconds.at(-1)?.['pg default'],
      ours_round_trips: roundTrips.ours,
      pg_pipeline_round_trips: roundTrips['pg pipeline'],
      pg_default_round_trips: roundTrips['pg default'],
    },
  })
} finally {
  counter.stop()
  await postgres.stop()
}
