import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import { type Database, migrate, openDatabase, type Transaction } from '@millrace/database'
import { type LevelSeconds, tableOfLevel } from '@millrace/rollups'
import { createMetrics } from '@millrace/telemetry'
import { createTestDatabase, type TestDatabase, waitFor } from '@millrace/testing'
import { AdmissionControl } from '../src/admission/admission-control.js'
import type { CostEstimate } from '../src/admission/estimate-cost.js'
import { readStatistics } from '../src/admission/read-statistics.js'
import type { Budget } from '../src/admission/suggest.js'
import { readTenantLimits } from '../src/admission/tenant-limits.js'
import { createRunCells, type RunCells } from '../src/cells/run-cells.js'
import { createReadDaily } from '../src/daily-report/read-daily.js'
import { createReadMarks } from '../src/journeys/read-marks.js'
import type { Answer } from '../src/kinds/query-kind.js'
import { createQueryKinds } from '../src/kinds/query-kinds.js'
import type { EventsQuery } from '../src/lists/events-query.js'
import { createReadLogins } from '../src/logins/read-logins.js'
import { QueryMetrics } from '../src/metrics.js'
import { parseFilters } from '../src/query/filter.js'
import { parseCellQuery } from '../src/query/parse-cell-query.js'
import { createSnapshot } from '../src/reads/snapshot.js'
import { createListEvents } from '../src/rpc/list-events.js'
import { storeEvents, storePartition, storeRollups, type TestDefinition, type TestEvent } from './generated-data.js'
import { createTenant, listOf, queryOf } from './service-under-test.js'

const START = Date.UTC(2026, 9, 1)
const DAY = 86_400_000
const DAYS = 6
const NOW = START + DAYS * DAY
const PLENTY: Budget = { rows: 1e9, partitions: 1e6, bytes: 1e12 }
const DEFINITIONS: TestDefinition[] = [
  { event: 'Flight', dimensions: ['properties.carrier'], property: null },
  { event: 'Flight', dimensions: [], property: 'properties.delay' },
]

/** Spread evenly over the days, with users and names as skewed as they are in life. */
function generate(tenantId: number, count: number, partition: number): TestEvent[] {
  return Array.from({ length: count }, (_, index) => {
    const spread = (index * 7919) % 1009
    return {
      tenantId,
      event: index % 10 === 9 ? 'Rare' : index % 3 === 0 ? 'Search' : 'Flight',
      userId: index % 4 === 0 ? 'heavy' : `user-${spread % 500}`,
      timestampMs: START + Math.floor((index / count) * DAYS * DAY),
      properties: { carrier: ['UA', 'AA', 'DL', 'LH'][spread % 4], delay: spread, seat: spread },
      partition,
      position: index,
    }
  })
}

interface Plan {
  readonly source: string
  readonly series: { event: string | null; dimensions: string[]; property: string | null } | null
  readonly rollup: { window_seconds: number; ranges: { from: string; to: string }[] }[]
  readonly raw: { from: string; to: string }[]
  readonly estimate: CostEstimate
}

describe('admission control', () => {
  let test: TestDatabase
  let database: Database
  let acme: number
  let other: number
  let runCells: RunCells
  /** Any kind of question, of the last three days. */
  let ask: (fields: Partial<RunQueryRequest>) => Promise<Answer>
  let budget = PLENTY
  let refusals = 0
  let admission: AdmissionControl

  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
    acme = await createTenant(database, 'acme')
    other = await createTenant(database, 'other')
    const events = [...generate(acme, 3000, 0), ...generate(other, 1000, 1)]
    // One connection, so that its counters of rows are in before ANALYZE sets them.
    const loader = openDatabase({ url: test.url, connectionLimit: 1 })
    await storeEvents(loader, events)
    await storeRollups(loader, events, DEFINITIONS)
    await storePartition(loader, { partition: 0, next: 3000, flushed: 3000 })
    await storePartition(loader, { partition: 1, next: 1000, flushed: 1000 })
    await loader.query(
      `insert into login_events (tenant_id, message_id, user_id, "timestamp", method, success)
        select $1, n::text, 'user-' || n % 50, $2::timestamptz + n * interval '6 minutes', 'email', true from generate_series(0, 1439) n`,
      [acme, new Date(START).toISOString()],
    )
    await loader.query('select pg_stat_force_next_flush()')
    await loader.query('analyze events, login_events')
    await loader.close()
    const statistics = await readStatistics(database)
    admission = new AdmissionControl({
      statistics: () => statistics,
      budgetOf: () => budget,
      now: () => NOW,
      onRefuse: () => refusals++,
    })
    const config = {
      tailRowsMax: 1000,
      cellsMax: 10_000,
      dirtyWindowsMax: 100,
      stream: 'events',
      consumerGroup: 'events-store',
    }
    runCells = createRunCells(config, { now: () => NOW })
    const kinds = createQueryKinds({
      limits: { bucketsMax: 1000, cellsMax: 10_000 },
      runCells,
      readMarks: createReadMarks({ ...config, groupsMax: 10_000 }),
      readLogins: createReadLogins(config),
      readDaily: createReadDaily({ ...config, responseProperty: 'properties.delay' }, { runCells, now: () => NOW }),
    })
    ask = (fields) => {
      const request = queryOf({ from: new Date(START + 3 * DAY), to: new Date(NOW), ...fields })
      const snapshot = createSnapshot({ database })
      const context = {
        tenantId: acme,
        admission,
        read: <T>(fn: (tx: Transaction) => Promise<T>) => snapshot(acme, fn),
        nowMs: NOW,
      }
      return kinds.find(request.kind).parse(request, context).run()
    }
  }, 300_000)
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  const run = async (fields: Partial<RunQueryRequest>, signal?: AbortSignal) => {
    const request = queryOf({ from: new Date(START), to: new Date(NOW), event: 'Flight', ...fields })
    const query = parseCellQuery(request, { interval: 'optional', cursor: null }, { nowMs: NOW, bucketsMax: 1000 })
    const snapshot = createSnapshot({ database })
    const { meta } = await runCells({ tenantId: acme, admission, read: (fn) => snapshot(acme, fn, { signal }) }, query)
    return meta.plan as Plan
  }

  const suggestionFor = async (fields: Partial<RunQueryRequest>): Promise<string> => {
    const refusal = await run(fields).then(
      () => undefined,
      (error: { details: { suggestion: string } }) => error,
    )
    return refusal?.details.suggestion ?? 'nothing was refused'
  }

  /** Counts what the plan says is read. */
  const countRows = async ({ series, rollup, raw }: Plan, event: string | null, user?: string) => {
    let rows = 0
    for (const { from, to } of raw) {
      const found = await database.query<{ n: number }>(
        'select count(*)::integer as n from events where "timestamp" >= $1 and "timestamp" < $2 and ($3::text is null or user_id = $3 and tenant_id = $4)',
        [from, to, user ?? null, acme],
      )
      rows += found.rows[0]?.n ?? 0
    }
    for (const { window_seconds: level, ranges } of rollup) {
      for (const { from, to } of ranges) {
        const found = await database.query<{ n: number }>(
          `select count(*)::integer as n from ${tableOfLevel(level as LevelSeconds)} r join rollup_series s on s.id = r.series_id
            where s.tenant_id = $1 and s.dimensions = $2 and s.property is not distinct from $3 and ($4::text is null or s.event = $4)
              and r.window_start >= $5 and r.window_start < $6`,
          [acme, series?.dimensions, series?.property, series?.event ?? event, from, to],
        )
        rows += found.rows[0]?.n ?? 0
      }
    }
    return rows
  }

  it.each<[string, Partial<RunQueryRequest> & { user?: string }]>([
    ['days from rollups', { interval: '1d' }],
    ['hours from rollups', { interval: '1h' }],
    ['minutes from rollups, of which most are empty', { interval: '1m', to: new Date(START + DAY / 2) }],
    ['groups from rollups', { interval: '1h', groupBy: ['properties.carrier'] }],
    ['uniques of all events from rollups', { event: '', interval: '1h', metric: { agg: 'uniques', property: '' } }],
    ['percentiles from rollups', { interval: '1h', metric: { agg: 'p95', property: 'properties.delay' } }],
    ['raw rows of all days', { groupBy: ['properties.seat'] }],
    [
      'raw rows of a part of a day',
      { groupBy: ['properties.seat'], from: new Date(START + DAY / 3), to: new Date(START + DAY / 2) },
    ],
    [
      'raw rows at ragged ends',
      { interval: '1h', from: new Date(START + 12_345), to: new Date(START + DAY * 2 + 7_654_321) },
    ],
    [
      'raw rows of an ordinary user',
      { event: '', user: 'user-7', filters: [{ property: 'user_id', op: 'eq', valueJson: '"user-7"' }] },
    ],
    [
      'raw rows of a user with many',
      { event: '', user: 'heavy', filters: [{ property: 'user_id', op: 'eq', valueJson: '"heavy"' }] },
    ],
  ])('estimates the rows that are read within a factor of 2, or 50 rows: %s', async (_title, { user, ...fields }) => {
    const plan = await run(fields)
    const truth = await countRows(plan, fields.event === '' ? null : 'Flight', user)
    expect(truth).toBeGreaterThan(0)
    expect(plan.estimate.rows).toBeGreaterThanOrEqual(truth / 2 - 50)
    expect(plan.estimate.rows).toBeLessThanOrEqual(truth * 2 + 50)
  })

  it('counts the day partitions from which raw rows are read', async () => {
    expect((await run({ groupBy: ['properties.seat'] })).estimate.partitions).toBe(DAYS)
    expect((await run({ interval: '1d' })).estimate.partitions).toBe(0)
  })

  it('estimates more memory for more buckets, more groups and sketches', async () => {
    const bytes = async (fields: Partial<RunQueryRequest>) => (await run(fields)).estimate.bytes
    expect(await bytes({ interval: '1h' })).toBeGreaterThan(10 * (await bytes({ interval: '1d' })))
    expect(await bytes({ interval: '1h', groupBy: ['properties.carrier'] })).toBeGreaterThan(
      await bytes({ interval: '1h' }),
    )
    expect(await bytes({ interval: '1d', metric: { agg: 'uniques', property: '' } })).toBeGreaterThan(
      await bytes({ interval: '1d' }),
    )
  })

  it('estimates the memory of one page, but all rows, when PostgreSQL sorts the groups', async () => {
    const estimateOf = async (fields: Partial<RunQueryRequest>) => {
      const { meta } = await ask({ kind: 'top', event: 'Flight', groupBy: ['user_id'], ...fields })
      return (meta.plan as Plan).estimate
    }
    const [few, many] = [await estimateOf({ limit: 5 }), await estimateOf({ limit: 100 })]
    expect(few.rows).toBe(many.rows)
    expect(few.bytes).toBeLessThan(many.bytes / 10)
    const ofSketches = { metric: { agg: 'uniques', property: '' } }
    expect(await estimateOf({ ...ofSketches, limit: 5 })).toEqual(await estimateOf({ ...ofSketches, limit: 100 }))
  })

  it('rejects a query above the budget with estimate, budget and suggestion, before it reads a table of events', async () => {
    const blocker = await database.connection()
    const controller = new AbortController()
    try {
      await blocker.query('begin')
      await blocker.query('lock table events in access exclusive mode')
      budget = { ...PLENTY, rows: 1000 }
      await expect(run({ groupBy: ['properties.seat'] })).rejects.toMatchObject({
        code: 'QUERY_TOO_EXPENSIVE',
        httpStatus: 422,
        retryable: false,
        details: { estimate: { rows: 4_000, partitions: DAYS }, budget, suggestion: expect.any(String) },
      })
      expect(refusals).toBe(1)
      // The same query within the budget does reach it, and waits for the lock.
      budget = PLENTY
      const allowed = run({ groupBy: ['properties.seat'] }, controller.signal)
      allowed.catch(() => undefined)
      await waitFor(
        async () => {
          const { rows } = await database.query(
            `select from pg_locks where relation = 'events'::regclass and not granted and database = (select oid from pg_database where datname = current_database())`,
          )
          return rows.length === 1
        },
        { deadlineMs: 30_000 },
      )
      controller.abort()
      await expect(allowed).rejects.toThrow()
    } finally {
      budget = PLENTY
      await blocker.close()
    }
  })

  it('suggests a shorter range that fits into the budget', async () => {
    budget = { ...PLENTY, rows: 1500 }
    const suggestion = await suggestionFor({
      groupBy: ['properties.seat'],
      filters: [{ property: 'properties.seat', op: 'gt', valueJson: '1' }],
    })
    const [, from] = /start the range at (\S+)/.exec(suggestion) ?? []
    await expect(run({ groupBy: ['properties.seat'], from: new Date(String(from)) })).resolves.toMatchObject({
      source: 'raw',
    })
    budget = PLENTY
  })

  it('suggests the rollup that would answer the query, in the form of the setting ROLLUPS', async () => {
    budget = { ...PLENTY, rows: 1500 }
    const fields = { groupBy: ['properties.carrier'], metric: { agg: 'avg', property: 'properties.delay' } }
    const suggestion = await suggestionFor(fields)
    const [, text] = /add the rollup (\{.*?\}) to ROLLUPS/.exec(suggestion) ?? []
    const definition = JSON.parse(String(text)) as TestDefinition
    expect(definition).toEqual({ event: 'Flight', dimensions: ['properties.carrier'], property: 'properties.delay' })
    budget = PLENTY
  })

  it('suggests a coarser interval or fewer groups for an answer that does not fit into memory', async () => {
    const fields = { interval: '1h', groupBy: ['properties.carrier'] }
    budget = { ...PLENTY, bytes: (await run(fields)).estimate.bytes / 5 }
    await expect(run(fields)).rejects.toMatchObject({
      details: {
        suggestion: expect.stringMatching(/^use the interval 1d; or remove properties.carrier from group_by/),
      },
    })
    await expect(run({ ...fields, interval: '1d' })).resolves.toMatchObject({ source: 'rollup' })
    budget = PLENTY
  })

  const marksOf = (query: { fromMs: number; toMs: number; conditions: { event: string | null }[] }) => ({
    tenantId: acme,
    query: { groupBy: [], cellsPerGroup: 10, ...query },
    raw: [query],
    userHashes: null,
    packed: { bytes: 0, values: 0 },
    cellsMax: 1000,
  })

  it('estimates the raw rows of a query over the events of each user, and their memory', async () => {
    const range = { fromMs: START + DAY, toMs: START + 3 * DAY }
    const estimate = await admission.admitMarks(marksOf({ ...range, conditions: [{ event: 'Flight' }] }))
    const { rows: found } = await database.query<{ read: number; held: number }>(
      `select count(*)::integer as read, (count(*) filter (where tenant_id = $1 and event = 'Flight'))::integer as held
        from events where "timestamp" >= $2 and "timestamp" < $3`,
      [acme, new Date(range.fromMs), new Date(range.toMs)],
    )
    const { read, held } = found[0] ?? { read: 0, held: 0 }
    expect(estimate?.partitions).toBe(2)
    expect(estimate?.rows).toBeGreaterThan(read / 2)
    expect(estimate?.rows).toBeLessThan(read * 2)
    expect(estimate?.bytes).toBeGreaterThan((held * 48) / 2)
    expect(estimate?.bytes).toBeLessThan(held * 48 * 2)
    budget = { ...PLENTY, bytes: 10_000 }
    await expect(admission.admitMarks(marksOf({ ...range, conditions: [{ event: null }] }))).rejects.toThrow(
      /start the range at 2026-10-/,
    )
    budget = PLENTY
  })

  it('counts packed days by their size, and raw rows only for the other days', async () => {
    const range = { fromMs: START, toMs: START + 3 * DAY }
    const raw = [{ fromMs: START + 2 * DAY, toMs: START + 3 * DAY }]
    const query = { ...range, conditions: [{ event: 'Flight' }, { event: 'Search' }] }
    const estimate = await admission.admitMarks({ ...marksOf(query), raw, packed: { bytes: 5_000, values: 4 } })
    const alone = await admission.admitMarks({ ...marksOf({ ...query, ...raw[0] }), raw })
    expect(estimate).toEqual({
      rows: Number(alone?.rows) + 4,
      partitions: 1,
      bytes: Number(alone?.bytes) + 15_000,
    })
  })

  const STEPS = ['Search', 'Flight'].map((event) => ({ event, filters: [] }))
  const rowsOf = ({ meta }: Answer) => (meta.plan as { readonly estimate: CostEstimate }).estimate.rows

  it.each<[string, Partial<RunQueryRequest>]>([
    ['cells from rollups', { kind: 'timeseries', event: 'Flight', interval: '1h' }],
    ['cells from raw rows', { kind: 'breakdown', event: 'Flight', groupBy: ['properties.seat'] }],
    ['steps of users', { kind: 'funnel', steps: STEPS }],
    ['visits', { kind: 'sessions' }],
    ['active days of users', { kind: 'stickiness' }],
    ['logins', { kind: 'logins', interval: '1d' }],
  ])('decides about a comparison as a whole, before it reads any of it: %s', async (_title, fields) => {
    const plain = await ask(fields)
    const compared = { ...fields, compare: 'previous' }
    budget = { ...PLENTY, rows: rowsOf(plain) * 1.5 }
    expect((await ask(fields)).data).toEqual(plain.data)
    const blocker = await database.connection()
    try {
      await blocker.query('begin')
      await blocker.query('lock table events, login_events, rollups_1m in access exclusive mode')
      const before = refusals
      await expect(ask(compared)).rejects.toMatchObject({
        code: 'QUERY_TOO_EXPENSIVE',
        details: { suggestion: expect.stringMatching(/^leave compare out; or /) },
      })
      expect(refusals).toBe(before + 1)
    } finally {
      await blocker.close()
    }
    budget = { ...PLENTY, rows: rowsOf(plain) * 2.5 }
    const answer = await ask(compared)
    expect(answer.data.length).toBeGreaterThan(0)
    expect(answer.data.map(({ previous: _previous, ...point }) => point)).toEqual(plain.data)
    budget = PLENTY
  })

  it('decides about everything that the daily report reads live as a whole', async () => {
    const days = { from: new Date(START), interval: '1d' }
    const events = rowsOf(await ask({ ...days, kind: 'timeseries' }))
    const users = rowsOf(await ask({ ...days, kind: 'uniques' }))
    budget = { ...PLENTY, rows: events + users - 1 }
    await expect(ask({ ...days, kind: 'daily' })).rejects.toMatchObject({
      details: { estimate: { rows: events + users } },
    })
    budget = { ...PLENTY, rows: events + users }
    expect((await ask({ ...days, kind: 'daily' })).data).toHaveLength(DAYS)
    budget = PLENTY
  })

  it('counts the rows of logins once per scan, and the memory of their cells', async () => {
    const estimateOf = async (fields: Partial<RunQueryRequest>) => {
      const { plan } = (await ask({ kind: 'logins', from: new Date(START), ...fields })).meta
      return (plan as { readonly estimate: CostEstimate }).estimate
    }
    const { rows: all, bytes } = await estimateOf({})
    // Three quarters of the events, and so of the logins as far as it knows, are of this tenant; two statements go through them.
    expect(all).toBeGreaterThan(1.5 * 1440 * 0.9)
    expect(all).toBeLessThan(1.5 * 1440 * 1.1)
    const filters = [{ property: 'method', op: 'eq', valueJson: '"email"' }]
    const many = await estimateOf({ interval: '1h', filters })
    expect(many.rows / all).toBeCloseTo(2, 2)
    expect(many.bytes).toBeGreaterThan(50 * bytes)
    expect((await estimateOf({ interval: '1h', groupBy: ['user_id'] })).bytes).toBeGreaterThan(many.bytes)
  })

  it('estimates the memory of groups of users only for groups that can exist', async () => {
    const bytesOf = async (fields: Partial<RunQueryRequest>) => {
      const { plan } = (await ask({ kind: 'retention', from: new Date(START), ...fields })).meta
      return (plan as { readonly estimate: CostEstimate }).estimate.bytes
    }
    const alone = await bytesOf({})
    const [some, many] = [await bytesOf({ groupBy: ['event'] }), await bytesOf({ groupBy: ['user_id'] })]
    expect(some).toBeGreaterThan(alone)
    // Some hundred users, each a group; cells of at most as many as there are marks.
    expect(many - some).toBeGreaterThan(300 * 500)
    expect(many).toBeLessThan(3_000 * 2_000)
    budget = { ...PLENTY, bytes: (some + many) / 2 }
    await expect(ask({ kind: 'retention', from: new Date(START), groupBy: ['user_id'] })).rejects.toMatchObject({
      details: {
        suggestion: expect.stringMatching(/^remove user_id from group_by, or filter by it; or start the range/),
      },
    })
    budget = PLENTY
  })

  const pageOf = (fields: Partial<EventsQuery>) => ({
    tenantId: acme,
    query: {
      ...{ event: null, userId: null, messageId: null, filters: [], fromMs: null, toMs: null, after: null, limit: 100 },
      ...fields,
    },
  })

  it('estimates a page of events by the rows that it shows and the rows that have to be read for it', async () => {
    const newest = await admission.admitPage(pageOf({}))
    // Three of four rows are of this tenant, one of ten has the rare name, and few are of an ordinary user.
    expect(newest?.rows).toBeGreaterThan(101)
    expect(newest?.rows).toBeLessThan(200)
    const rare = await admission.admitPage(pageOf({ event: 'Rare' }))
    expect(rare?.rows).toBeGreaterThan(900)
    expect(rare?.rows).toBeLessThan(2_000)
    const ofUser = await admission.admitPage(pageOf({ userId: 'user-7' }))
    expect(ofUser?.rows).toBeLessThan(30)
    expect(await admission.admitPage(pageOf({ messageId: 'm' }))).toMatchObject({ rows: 4_000, partitions: 1 })
    const filters = parseFilters([{ property: 'properties.seat', op: 'eq', valueJson: '1' }])
    expect(await admission.admitPage(pageOf({ filters }))).toMatchObject({ rows: 4_000 })
    const days = { fromMs: START + DAY, toMs: START + 3 * DAY }
    expect(await admission.admitPage(pageOf({ ...days, messageId: 'm' }))).toMatchObject({ partitions: 2 })
    expect(Number((await admission.admitPage(pageOf({ limit: 1000 })))?.bytes)).toBeGreaterThan(
      5 * Number(newest?.bytes),
    )
  })

  it('rejects a page of events for which too many rows would have to be read', async () => {
    const list = createListEvents({
      snapshot: createSnapshot({ database }),
      admission,
      metrics: new QueryMetrics(createMetrics({ service: 'analytics-query', hasProcessMetrics: false })),
      now: () => NOW,
    })
    const call = { tenant: String(acme), signal: new AbortController().signal, deadline: undefined }
    budget = { ...PLENTY, rows: 2_000 }
    expect((await list(listOf({ event: 'Rare' }), call)).eventsJson).toHaveLength(100)
    await expect(list(listOf({ messageId: 'm' }), call)).rejects.toMatchObject({
      code: 'QUERY_TOO_EXPENSIVE',
      details: { suggestion: expect.stringMatching(/^start the range at 2026-10-0/) },
    })
    budget = PLENTY
  })

  it('uses the limits in the settings of a tenant, and ignores invalid ones', async () => {
    await database.query(`update tenants set settings = settings || $2::jsonb where id = $1`, [
      acme,
      JSON.stringify({
        query_budget_rows: 7,
        query_concurrency: 3,
        query_budget_bytes: -1,
        query_budget_partitions: 'many',
      }),
    ])
    const limits = await readTenantLimits(database)
    expect(limits.get(acme)).toEqual({ rows: 7, concurrency: 3 })
    expect(limits.get(other)).toBeUndefined()
  })
})
