// npm run bench -- query: what answers cost at 1 and at 10 million events, and whether they are right; see README.md beside this file.
import { parseArgs } from 'node:util'
import { runJsonProcess } from '../lib/json-process.js'
import { describeMachine } from '../lib/machine.js'
import { startMeter } from '../lib/meter.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { without } from '../lib/without.js'
import { measureCacheHits } from './ask/cache-hits.js'
import { createDashboards, type DashboardFigures, measureDashboard } from './ask/dashboards.js'
import { type Analytics, openAnalytics } from './ask/grpc.js'
import { quantiles, type Timing } from './ask/measure.js'
import { measureShapes, measureSmall, type ShapeResult } from './ask/shape-phases.js'
import { checkAnswers } from './check/check-answers.js'
import { type Dataset, openDataset, POSTGRES } from './data/dataset.js'
import { DAYS } from './data/generate.js'
import type { MixedReport, MixedTask } from './mixed-process.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    rows: { type: 'string', default: '10000000' },
    small: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '400' },
    calls: { type: 'string', default: '60' },
    parts: { type: 'string', default: 'small,shapes,hits,dashboard,mixed,check' },
    fresh: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)
const rows = Number(values.rows)
const small = Number(values.small)
const seed = Number(values.seed)
const calls = Number(values.calls)
const parts = new Set(values.parts.split(','))
const MIXED = new URL('mixed-process.js', import.meta.url)
const CONCURRENCY = [1, 16, 64]

const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const settings = {
  rows,
  small,
  days: DAYS,
  seed,
  seconds,
  calls,
  live_events_per_s: Number(values.rate),
  postgresql: POSTGRES,
}
say(`settings: ${JSON.stringify(settings)}`)

const atSmall = parts.has('small')
  ? await onDataset({ rows: small }, (data) => measureSmall({ ...data, seed, calls, seconds }))
  : undefined
const at = await onDataset({ rows }, benchDataset)
printShapes(at.value.shapes, atSmall?.value)
const { shapes, hits, dashboard, mixed, check } = at.value
if (dashboard) say(`dashboard: ${JSON.stringify(dashboard)}`)
if (mixed) printTable(mixed.map((figures) => without(figures, 'sources')))
if (check) say(`check: ${JSON.stringify(check)}`)
const result = {
  ...summary({ shapes, mixed, check, smallShapes: atSmall?.value }),
  ...hits,
  ...dashboardFigures(dashboard),
}
writeResult('query', {
  machine,
  settings,
  data: at.stats,
  small_data: atSmall?.stats,
  shapes: shapes?.map(withoutTimes),
  small_shapes: atSmall?.value.map(withoutTimes),
  hits,
  dashboard,
  mixed,
  check,
  result,
})
// A checker that does not notice what was tampered with has shown nothing.
const isSound = check === undefined || (check.wrong_answers === 0 && check.tampered_answers_found > 0)
process.exitCode = isSound ? 0 : 1

interface OpenDataset extends Dataset {
  rows: number
  /** One client and one address for each instance of analytics-query. */
  analytics: Analytics[]
  addresses: string[]
}

/** Opens a data set with cold files, calls `work` with it, and closes it whatever happens. */
async function onDataset<T>({ rows: wanted }: { rows: number }, work: (data: OpenDataset) => Promise<T>) {
  const data = await openDataset({
    rows: wanted,
    seed,
    isFresh: values.fresh,
    instances: { 'analytics-query': 2 },
  })
  const { stack } = data
  const addresses = stack.services
    .filter(({ instance }) => instance.entry.name === 'analytics-query')
    .map(({ instance }) => `127.0.0.1:${instance.grpcPort}`)
  const analytics = addresses.map(openAnalytics)
  try {
    const value = await work({ ...data, rows: wanted, analytics, addresses })
    return { value, stats: await data.describe() }
  } finally {
    for (const each of analytics) each.close()
    await stack.stop()
  }
}

async function benchDataset(data: OpenDataset) {
  const shapes = parts.has('shapes') ? await measureShapes({ ...data, seed, calls, seconds }) : undefined
  const hits = parts.has('hits') ? await measureCacheHits(data.stack) : undefined
  const dashboard = parts.has('dashboard') ? await measureDashboard(data) : undefined
  const mixed = parts.has('mixed') ? await runMixed(data) : undefined
  const check = parts.has('check')
    ? await checkAnswers({ ...data, seconds, eventsPerSecond: Number(values.rate) })
    : undefined
  return { shapes, hits, dashboard, mixed, check }
}

/** Dashboards of many readers on one process: one reader, then 16 and 64 at once. */
async function runMixed({ stack, addresses, endMs, rows: stored }: OpenDataset) {
  const queries = createDashboards({ seed, rows: stored, endMs })
  const results = []
  for (const concurrency of CONCURRENCY) {
    const meter = startMeter(() => stack.processes())
    const task: MixedTask = { address: `${addresses[0]}`, queries, concurrency, seconds, seed: seed + concurrency }
    const report = await runJsonProcess<MixedReport>(MIXED, task)
    const { sources, calls: answered, faults, firstFault, ...times } = report
    const usage = meter.read()
    if (faults > 0) say(`FAULT ${faults} of ${answered + faults} queries failed, the first with: ${firstFault}`)
    const cores = (name: string) =>
      round((usage.each.find((one) => one.name === name)?.cpuSeconds ?? 0) / usage.seconds, 2)
    const hits = (sources.memory ?? 0) + (sources.redis ?? 0)
    results.push({
      concurrency,
      queries_per_s: round(answered / times.seconds),
      hit_ratio: round(hits / answered, 4),
      p50_ms: times.p50_ms,
      p95_ms: times.p95_ms,
      p99_ms: times.p99_ms,
      faults,
      analytics_cores: cores('analytics-query'),
      postgresql_cores: cores('PostgreSQL'),
      distinct_queries: queries.length,
      sources,
    })
  }
  return results
}

function dashboardFigures(dashboard: DashboardFigures | undefined) {
  if (dashboard === undefined) return {}
  const { cold, warm } = dashboard
  return {
    dashboard_cold_ms: cold.p50_ms,
    dashboard_cold_p95_ms: cold.p95_ms,
    dashboard_warm_ms: warm.p50_ms,
    dashboard_warm_p95_ms: warm.p95_ms,
  }
}

function printShapes(shapes: ShapeResult[] | undefined, smallShapes: ShapeResult[] | undefined): void {
  if (!shapes) return
  const cell = (figures: Timing | undefined, key: 'p50_ms' | 'p95_ms' | 'p99_ms' | 'max_ms') => figures?.[key] ?? ''
  printTable(
    shapes.map((one) => {
      const other = smallShapes?.find(({ name }) => name === one.name)
      return {
        shape: one.name,
        cold_p50: cell(one.cold, 'p50_ms'),
        cold_max: cell(one.cold, 'max_ms'),
        first_p95: cell(one.first, 'p95_ms'),
        p50: cell(one.uncached, 'p50_ms'),
        p95: cell(one.uncached, 'p95_ms'),
        p99: cell(one.uncached, 'p99_ms'),
        small_p50: cell(other?.uncached, 'p50_ms'),
        small_p95: cell(other?.uncached, 'p95_ms'),
        miss: cell(one.miss, 'p50_ms'),
        redis: cell(one.redis, 'p50_ms'),
        memory: cell(one.memory, 'p50_ms'),
        http: cell(one.http, 'p50_ms'),
        sql: cell(one.sql, 'p50_ms'),
        from: one.uncached?.missing ? 'not built' : Object.keys(one.uncached?.sources ?? {}).join(','),
      }
    }),
  )
}

function withoutTimes({ name, set, ...phases }: ShapeResult): object {
  const entries = Object.entries(phases) as [string, Timing][]
  return { name, set, ...Object.fromEntries(entries.map(([phase, figures]) => [phase, without(figures, 'times')])) }
}

type ShapePhase = Exclude<keyof ShapeResult, 'name' | 'set'>

interface Findings {
  shapes: ShapeResult[] | undefined
  mixed: Awaited<ReturnType<typeof runMixed>> | undefined
  check: Awaited<ReturnType<typeof checkAnswers>> | undefined
  smallShapes: ShapeResult[] | undefined
}

function summary({ shapes = [], mixed, check, smallShapes }: Findings) {
  const pooled = (list: ShapeResult[] | undefined, set: string, phase: ShapePhase) =>
    quantiles((list ?? []).filter((one) => one.set === set).flatMap((one) => one[phase]?.times ?? []))
  const greatest = (set: string) =>
    Math.max(0, ...shapes.filter((one) => one.set === set).map((one) => one.uncached?.p95_ms ?? 0))
  const sixteen = mixed?.find(({ concurrency }) => concurrency === 16)
  return {
    p95_ms: pooled(shapes, 'rollup', 'uncached').p95_ms,
    p50_ms: pooled(shapes, 'rollup', 'uncached').p50_ms,
    p99_ms: pooled(shapes, 'rollup', 'uncached').p99_ms,
    first_p95_ms: pooled(shapes, 'rollup', 'first').p95_ms,
    slowest_rollup_shape_p95_ms: greatest('rollup'),
    small_p95_ms: pooled(smallShapes, 'rollup', 'uncached').p95_ms,
    user_p95_ms: pooled(shapes, 'user', 'uncached').p95_ms,
    analysis_p95_ms: pooled(shapes, 'analysis', 'uncached').p95_ms,
    miss_p50_ms: pooled(shapes, 'rollup', 'miss').p50_ms,
    redis_hit_p50_ms: pooled(shapes, 'rollup', 'redis').p50_ms,
    memory_hit_p50_ms: pooled(shapes, 'rollup', 'memory').p50_ms,
    http_hit_p50_ms: pooled(shapes, 'rollup', 'http').p50_ms,
    sql_p50_ms: pooled(shapes, 'rollup', 'sql').p50_ms,
    warm_hit_ratio: sixteen?.hit_ratio,
    queries_per_s: sixteen?.queries_per_s,
    wrong_answers: check?.wrong_answers,
    answers_checked: check?.answers,
    tampered_answers_found: check?.tampered_answers_found,
  }
}
