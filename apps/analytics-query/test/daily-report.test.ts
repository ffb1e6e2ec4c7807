import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import { waitFor } from '@millrace/testing'
import { createRefreshDaily } from '../src/daily-report/refresh-daily.js'
import {
  storeEvents,
  storePartition,
  storeRollups,
  type TestEvent,
  waitUntilNotedChangesAreOld,
} from './generated-data.js'
import {
  createTenant,
  queryOf,
  type ServiceUnderTest,
  startServiceUnderTest,
  type TestAnswer,
} from './service-under-test.js'

const DAY = 86_400_000
const HOUR = 3_600_000
/** The view holds days up to the present one, by the server's clock. */
const TODAY = Math.floor(Date.now() / DAY) * DAY
const START = TODAY - 5 * DAY
const NOW = TODAY + 12 * HOUR
const PROPERTY = 'properties.duration_ms'

function generate(tenantId: number, partition: number): TestEvent[] {
  return Array.from({ length: 300 }, (_, index) => ({
    tenantId,
    event: ['Viewed', 'Ordered', 'Paid'][index % 3] as string,
    userId: `user-${(index * 31) % (40 + tenantId)}`,
    timestampMs: START + Math.floor((index / 300) * (NOW - START)),
    properties: index % 4 === 0 ? {} : { duration_ms: (index * 17) % 901 },
    partition,
    position: index,
  }))
}

interface Report {
  readonly view: string
  readonly refreshed_at: string | null
  readonly days_from_view: number
  readonly live: { from: string; to: string }
}

describe('the daily report', () => {
  let service: ServiceUnderTest
  let acme: number
  let other: number
  let clock = NOW
  const range = { from: new Date(START), to: new Date(NOW) }

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => clock })
    acme = await createTenant(service.database, 'acme')
    other = await createTenant(service.database, 'other')
    const events = [...generate(acme, 0), ...generate(other, 1)]
    await storeEvents(service.database, events)
    await storeRollups(service.database, events, [{ event: '*', dimensions: [], property: PROPERTY }])
    for (const partition of [0, 1]) await storePartition(service.database, { partition, next: 300, flushed: 300 })
    // As the consumer leaves it: the present day has no rollup of its own yet, and says so.
    await service.database.query('delete from rollups_1d where window_start >= $1', [new Date(TODAY)])
    await service.database.query(
      `insert into rollup_dirty (level_seconds, tenant_id, window_start) select 86400, id, $1 from tenants`,
      [new Date(TODAY)],
    )
  }, 300_000)
  afterAll(() => service.close())
  beforeEach(async () => {
    clock = NOW
    await setWatermark(NOW)
  })

  const setWatermark = (ms: number) =>
    service.database.query('update stream_partitions set watermark = $1', [new Date(ms)])
  const refresher = (intervalMs = 0) =>
    createRefreshDaily(
      { stream: 'events', consumerGroup: 'events-store', intervalMs, timeoutMs: 60_000 },
      { database: service.database, now: () => clock },
    )
  const daily = (tenant = acme, fields: Partial<RunQueryRequest> = {}) =>
    service.query(queryOf({ kind: 'daily', metric: undefined, ...range, ...fields }), tenant)
  const planOf = ({ meta }: TestAnswer) => JSON.parse(meta?.planJson ?? '{}') as Report

  /** What queries over rollups and raw rows say about the same days. */
  const expected = async (tenant: number) => {
    const ask = (agg: string, property = '') =>
      service.query(queryOf({ ...range, interval: '1d', metric: { agg, property } }), tenant)
    const [events, users, averages] = [await ask('count'), await ask('uniques'), await ask('avg', PROPERTY)]
    return events.data.map(({ time, value }, index) => ({
      time,
      value,
      values: {
        events: value,
        users: users.data[index]?.value ?? 0,
        avg_response_ms: expect.closeTo(averages.data[index]?.value ?? 0, 8),
      },
    }))
  }

  it('is read from rollups while the view has never been refreshed', async () => {
    const report = await daily()
    expect(report.data).toEqual(await expected(acme))
    expect(planOf(report)).toMatchObject({ view: 'daily_report', refreshed_at: null, days_from_view: 0 })
  })

  it('shows from the view, and for today live, the same figures as queries for these days', async () => {
    expect(await refresher()()).toBe('refreshed')
    clock = NOW + 40_000
    for (const tenant of [acme, other]) {
      const report = await daily(tenant)
      expect(report.data).toEqual(await expected(tenant))
      expect(report.meta?.ageMs).toBe(40_000)
      expect(planOf(report)).toMatchObject({
        refreshed_at: new Date(NOW).toISOString(),
        days_from_view: 5,
        live: { from: new Date(TODAY).toISOString() },
      })
    }
  })

  it('shows a tenant only its own days, even in a statement that does not name a tenant', async () => {
    await refresher()()
    const seen = await service.database.withTenant(acme, (tx) =>
      tx.query<{ events: bigint }>('select events from daily_report where day >= $1', [new Date(START)]),
    )
    expect(seen.rows.filter(({ events }) => events > 0n)).toHaveLength(5)
    await expect(
      service.database.withTenant(acme, (tx) => tx.query('select * from daily_report_days')),
    ).rejects.toMatchObject({ details: { sqlState: '42501' } })
    expect((await daily(other + 1000)).data.every(({ value }) => value === 0)).toBe(true)
  })

  it('reads a day live that a late event has changed, until the next refresh of the view', async () => {
    await refresher()()
    const late: TestEvent = {
      tenantId: acme,
      event: 'Paid',
      userId: 'late-comer',
      timestampMs: START + DAY + 5,
      properties: { duration_ms: 5000 },
      partition: 0,
      position: 300,
    }
    const { database } = service
    await storeEvents(database, [late])
    await database.query(
      `update stream_partitions set next_ordinal = 301, unflushed_from = $1, unflushed_to = $1 where partition = 0`,
      [new Date(late.timestampMs)],
    )
    await database.query(`insert into window_versions (tenant_id, event, day) values ($1, 'Paid', $2)`, [
      acme,
      new Date(late.timestampMs).toISOString().slice(0, 10),
    ])
    const report = await daily()
    expect(report.data).toEqual(await expected(acme))
    expect(planOf(report).live.from).toBe(new Date(START + DAY).toISOString())
    expect(planOf(await daily(other)).live.from).toBe(new Date(TODAY).toISOString())

    // RefreshedValue while the record waits to be rolled up: days from its own on are not complete.
    await setWatermark(NOW + 1)
    expect(await refresher()()).toBe('refreshed')
    expect((await daily()).data).toEqual(await expected(acme))
    expect(planOf(await daily()).days_from_view).toBe(1)
    await database.query('delete from events where position = 300')
    await database.query(
      'update stream_partitions set next_ordinal = 300, unflushed_from = null, unflushed_to = null where partition = 0',
    )
    await waitUntilNotedChangesAreOld(database)
  })

  it('is refreshed when a day has become complete, and otherwise after REPORT_REFRESH_INTERVAL if events were stored', async () => {
    await refresher()()
    const slow = refresher(60_000)
    expect(await slow()).toBe('current')
    clock += 59_999
    await setWatermark(NOW + 1000)
    expect(await slow()).toBe('current')
    clock += 1
    expect(await slow()).toBe('refreshed')
    clock += 600_000
    expect(await slow()).toBe('current')
    await setWatermark(TODAY + DAY + 60_000)
    clock = TODAY + DAY + 60_001
    expect(await slow()).toBe('refreshed')
    await service.database.query(`delete from report_refreshes`)
  })

  it('is refreshed by one of many processes without blocking readers', async () => {
    await service.database.query('delete from report_refreshes')
    const lock = await service.database.connection()
    await lock.query('begin')
    await lock.query(`select pg_advisory_xact_lock(hashtext('millrace:reports'), hashtext('daily'))`)
    expect(await refresher()()).toBe('busy')
    await lock.close()
    const refresh = refresher()
    await waitFor(async () => (await refresh()) !== 'busy', { deadlineMs: 30_000 })
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => refresher(60_000)()))
    expect(outcomes).toEqual(['current', 'current', 'current', 'current'])
    expect((await daily()).data).toEqual(await expected(acme))
  })

  it('merges users only for days that have changed', async () => {
    await refresher()()
    await service.database.query(`update daily_users set users = 12345 where tenant_id = $1`, [acme])
    await service.database.query(`update daily_users set events = -1 where tenant_id = $1 and day = $2::date`, [
      acme,
      new Date(START).toISOString().slice(0, 10),
    ])
    await service.database.query('delete from report_refreshes')
    await refresher()()
    const users = (await daily()).data.map(({ values }) => values?.users)
    expect(users.slice(1, 5)).toEqual([12_345, 12_345, 12_345, 12_345])
    expect(users[0]).toBeLessThan(100)
  })

  it('merges the days of many tenants in several transactions before it refreshes once', async () => {
    const { database } = service
    await database.query(
      `with tenant as (insert into tenants (name) select 'many-' || g from generate_series(1, 60) g returning id),
        series as (insert into rollup_series (tenant_id, event, dimensions, dimension_values) select id, 'Viewed', '{}', '{}' from tenant returning id, tenant_id)
        insert into rollups_1d (window_start, tenant_id, series_id, count) select $1::timestamptz + d * interval '1 day', tenant_id, id, 1 from series, generate_series(0, 4) d`,
      [new Date(START)],
    )
    await database.query('delete from report_refreshes')
    expect(await refresher()()).toBe('refreshed')
    const { rows } = await database.query(
      `select from daily_report_days where not is_dirty and users = 0 and events = 1`,
    )
    expect(rows).toHaveLength(300)
  })

  it('does not use a view that was refreshed before the oldest recorded late event', async () => {
    await refresher()()
    clock = NOW + 13 * DAY
    expect(planOf(await daily()).days_from_view).toBe(0)
    expect((await daily()).data).toEqual(await expected(acme))
  })

  it('covers the 90 days up to today by default, and can be paged', async () => {
    const all = await daily(acme, { from: undefined, to: undefined })
    expect(all.data).toHaveLength(90)
    expect(all.data.at(-1)?.time).toBe(new Date(TODAY).toISOString())
    const first = await daily(acme, { limit: 4 })
    const rest = await daily(acme, { limit: 4, cursor: first.nextCursor })
    expect([...first.data, ...rest.data]).toEqual((await daily()).data)
  })

  it.each<[string, Partial<RunQueryRequest>, string]>([
    ['another time zone', { timezone: 'Europe/Berlin' }, 'INVALID_TIMEZONE'],
    ['filters', { filters: [{ property: 'event', op: 'eq', valueJson: '"Paid"' }] }, 'TOO_MANY_FILTERS'],
    ['more days than buckets may be', { from: new Date(0) }, 'TOO_MANY_BUCKETS'],
  ])('rejects %s', async (_title, fields, code) => {
    await expect(daily(acme, fields)).rejects.toMatchObject({ code })
  })
})
