import pg from 'pg'
import { say } from '../../lib/results.mjs'
import { createQueryRandom } from '../data/generate.mjs'
import { askGrpc, askHttp, quantiles, timeQueries } from './measure.mjs'
import { createDraws, SHAPES } from './shapes.mjs'

const COLD_CALLS = 6
/** What takes so long once cold is not asked again. */
const SLOW_MS = 1_000
const SQL_CALLS = 3
const SQL_TIMEOUT_MS = 120_000
const HITS_A_QUERY = 5
const WARM_ROUNDS = 3
const WARM_SECONDS = 1

/**
 * Every shape in every state: `cold` (the servers have just been started on files that the system had forgotten), `first` (the first calls of a process:
 * its code is interpreted, its connections know no plans), `uncached` (`fresh`: caches are passed by, PostgreSQL's memory and the process are warm), `miss` (the answer is not cached yet), `redis` (another process has cached it), `memory` (this one has), `http` (the
 * same by the public route) and `sql` (what one would write by hand for the raw table).
 */
export async function measureShapes({ stack, analytics, rows, endMs, seed, calls, seconds }) {
  const random = createQueryRandom(seed)
  const draws = createDraws({ random, rows, endMs })
  const [first, second] = analytics
  const shapes = SHAPES.map(({ name, set, kind, draw, sql }) => ({
    name,
    set,
    kind,
    sql,
    queries: Array.from({ length: calls }, () => draw(draws)),
    others: Array.from({ length: calls }, () => draw(draws)),
  }))
  const results = shapes.map(({ name, set }) => ({ name, set }))
  await measureCold(first, shapes, results)
  await warmUp(first, shapes, (index, figures) => {
    results[index].first ??= figures
  })
  const http = askHttp({ url: stack.url, key: stack.adminKey })
  const limit = { seconds: seconds / 4 }
  for (const [index, { name, queries, others, kind }] of shapes.entries()) {
    const result = results[index]
    result.uncached = await timeQueries(askGrpc(first, { isFresh: true }), queries, limit)
    if (result.uncached.missing !== undefined) continue
    if (kind !== 'timeline') {
      result.miss = await timeQueries(askGrpc(first), distinct(others, queries), limit)
      const cached = distinct(queries.slice(0, result.uncached.calls), [])
      result.redis = await timeQueries(askGrpc(second), cached)
      result.memory = await timeQueries(askGrpc(second), repeat(cached, HITS_A_QUERY))
      result.http = await timeQueries(http.ask, repeat(cached, HITS_A_QUERY))
    }
    say(`${name}: uncached p50 ${result.uncached.p50_ms} ms p95 ${result.uncached.p95_ms} ms`)
  }
  http.close()
  await measureSql(stack.databaseUrl, shapes, results)
  return results
}

/** The uncached figures alone, for a smaller database. */
export async function measureSmall({ analytics, rows, endMs, seed, calls, seconds }) {
  const draws = createDraws({ random: createQueryRandom(seed), rows, endMs })
  const shapes = SHAPES.map(({ name, set, draw }) => ({
    name,
    set,
    queries: Array.from({ length: calls }, () => draw(draws)),
  }))
  await warmUp(analytics[0], shapes)
  const results = []
  for (const { name, set, queries } of shapes) {
    const uncached = await timeQueries(askGrpc(analytics[0], { isFresh: true }), queries, { seconds: seconds / 4 })
    results.push({ name, set, uncached })
  }
  return results
}

/** Asks all shapes in turn, several times over, as the process of a product in use has been asked. `note` is told of each shape's figures. */
async function warmUp(analytics, shapes, note) {
  for (let round = 0; round < WARM_ROUNDS; round++)
    for (const [index, { queries }] of shapes.entries())
      note?.(index, await timeQueries(askGrpc(analytics, { isFresh: true }), queries, { seconds: WARM_SECONDS }))
}

/** One query of each shape after the other, so that no shape warms the pages for itself alone. */
async function measureCold(analytics, shapes, results) {
  const times = shapes.map(() => [])
  for (let call = 0; call < COLD_CALLS; call++) {
    for (const [index, { queries }] of shapes.entries()) {
      if (times[index].some((time) => time > SLOW_MS)) continue
      const answer = await timeQueries(askGrpc(analytics, { isFresh: true }), [queries[queries.length - 1 - call]])
      times[index].push(...(answer.times ?? []))
    }
  }
  for (const [index, own] of times.entries())
    if (own.length > 0) results[index].cold = { ...quantiles(own), times: own }
}

async function measureSql(databaseUrl, shapes, results) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(`set statement_timeout = ${SQL_TIMEOUT_MS}`)
  for (const [index, { queries, sql }] of shapes.entries()) {
    const ask = async (query) => {
      await client.query(sql(query))
      return 'sql'
    }
    results[index].sql = await timeQueries(ask, queries.slice(0, SQL_CALLS), { seconds: 1 })
  }
  await client.end()
}

/** Those of `queries` that are asked for the first time. */
function distinct(queries, asked) {
  const seen = new Set(asked.map((query) => JSON.stringify(query)))
  return queries.filter((query) => !seen.has(JSON.stringify(query)) && seen.add(JSON.stringify(query)))
}

function repeat(list, times) {
  return Array.from({ length: times }, () => list).flat()
}
