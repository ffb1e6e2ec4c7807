import type { Stack } from '@millrace/local-stack'
import pg from 'pg'
import { say } from '../../lib/results.js'
import { createQueryRandom } from '../data/generate.js'
import type { Analytics } from './grpc.js'
import { askGrpc, askHttp, quantiles, type Timing, timeQueries } from './measure.js'
import type { Query } from './query.js'
import { createDraws, SHAPES, type Shape } from './shapes.js'

const COLD_CALLS = 6
/** A shape that took longer than this once is not asked cold again. */
const SLOW_MS = 1_000
const SQL_CALLS = 3
const SQL_TIMEOUT_MS = 120_000
const HITS_A_QUERY = 5
const WARM_ROUNDS = 3
const WARM_SECONDS = 1

export interface ShapeOptions {
  analytics: readonly Analytics[]
  rows: number
  endMs: number
  seed: number
  /** Queries of each shape. */
  calls: number
  seconds: number
}

type DrawnShape = Pick<Shape, 'name' | 'set' | 'kind' | 'sql'> & { queries: Query[] }

/** What the queries of one shape took, by state. */
export interface ShapeResult {
  name: string
  set: string
  cold?: Timing
  first?: Timing
  uncached?: Timing
  miss?: Timing
  redis?: Timing
  memory?: Timing
  http?: Timing
  sql?: Timing
}

/**
 * Every shape in every state: `cold` (the servers have just been started on files that the system had forgotten), `first` (the first calls of a process:
 * its code is interpreted, its connections know no plans), `uncached` (`fresh`: caches are passed by, PostgreSQL's memory and the process are warm), `miss` (the answer is not cached yet), `redis` (another process has cached it), `memory` (this one has), `http` (the
 * same by the public route) and `sql` (what one would write by hand for the raw table).
 */
export async function measureShapes(options: ShapeOptions & { stack: Stack }): Promise<ShapeResult[]> {
  const { stack, analytics, rows, endMs, seed, calls, seconds } = options
  const random = createQueryRandom(seed)
  const draws = createDraws({ random, rows, endMs })
  const [first, second] = analytics
  if (first === undefined || second === undefined) throw new Error('two instances of analytics-query are needed')
  const shapes = SHAPES.map(({ name, set, kind, draw, sql }) => ({
    name,
    set,
    kind,
    sql,
    queries: Array.from({ length: calls }, () => draw(draws)),
    others: Array.from({ length: calls }, () => draw(draws)),
  }))
  const results: ShapeResult[] = shapes.map(({ name, set }) => ({ name, set }))
  await measureCold(first, shapes, results)
  await warmUp(first, shapes, (index, figures) => {
    const result = results[index]
    if (result) result.first ??= figures
  })
  const http = askHttp({ url: stack.url, key: stack.adminKey })
  const limit = { seconds: seconds / 4 }
  for (const [index, { name, queries, others, kind }] of shapes.entries()) {
    const result = results[index] as ShapeResult
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
export async function measureSmall(options: ShapeOptions): Promise<ShapeResult[]> {
  const { analytics, rows, endMs, seed, calls, seconds } = options
  const [first] = analytics
  if (first === undefined) throw new Error('an instance of analytics-query is needed')
  const draws = createDraws({ random: createQueryRandom(seed), rows, endMs })
  const shapes = SHAPES.map(({ name, set, draw }) => ({
    name,
    set,
    queries: Array.from({ length: calls }, () => draw(draws)),
  }))
  await warmUp(first, shapes)
  const results: ShapeResult[] = []
  for (const { name, set, queries } of shapes) {
    const uncached = await timeQueries(askGrpc(first, { isFresh: true }), queries, { seconds: seconds / 4 })
    results.push({ name, set, uncached })
  }
  return results
}

/** Asks all shapes in turn, several times, so that the process is as warm as one in production. Calls `note` with the figures of each shape. */
async function warmUp(
  analytics: Analytics,
  shapes: readonly { queries: Query[] }[],
  note?: (index: number, figures: Timing) => void,
): Promise<void> {
  for (let round = 0; round < WARM_ROUNDS; round++)
    for (const [index, { queries }] of shapes.entries())
      note?.(index, await timeQueries(askGrpc(analytics, { isFresh: true }), queries, { seconds: WARM_SECONDS }))
}

/** One query of each shape after the other, so that no shape warms the pages for itself alone. */
async function measureCold(analytics: Analytics, shapes: readonly DrawnShape[], results: ShapeResult[]): Promise<void> {
  const times = shapes.map((): number[] => [])
  for (let call = 0; call < COLD_CALLS; call++) {
    for (const [index, { queries }] of shapes.entries()) {
      const own = times[index] as number[]
      const query = queries[queries.length - 1 - call]
      if (query === undefined || own.some((time) => time > SLOW_MS)) continue
      const answer = await timeQueries(askGrpc(analytics, { isFresh: true }), [query])
      own.push(...(answer.times ?? []))
    }
  }
  for (const [index, result] of results.entries()) {
    const own = times[index] ?? []
    if (own.length > 0) result.cold = { ...quantiles(own), times: own }
  }
}

async function measureSql(databaseUrl: string, shapes: readonly DrawnShape[], results: ShapeResult[]): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query(`set statement_timeout = ${SQL_TIMEOUT_MS}`)
  for (const [index, { queries, sql }] of shapes.entries()) {
    const ask = async (query: Query) => {
      await client.query(sql(query))
      return 'sql'
    }
    const result = results[index] as ShapeResult
    result.sql = await timeQueries(ask, queries.slice(0, SQL_CALLS), { seconds: 1 })
  }
  await client.end()
}

/** `queries` without those in `asked` and without repetitions. */
function distinct(queries: Query[], asked: Query[]): Query[] {
  const seen = new Set(asked.map((query) => JSON.stringify(query)))
  return queries.filter((query) => !seen.has(JSON.stringify(query)) && seen.add(JSON.stringify(query)))
}

function repeat(list: Query[], times: number): Query[] {
  return Array.from({ length: times }, () => list).flat()
}
