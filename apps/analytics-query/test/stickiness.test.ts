import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { QueryPoint, RunQueryRequest } from '@millrace/contracts'
import fc from 'fast-check'
import { previousRange } from '../src/query/previous-range.js'
import { findTimeZone } from '../src/query/time-zone.js'
import { storeEvents, type TestEvent } from './generated-data.js'
import { modelStickiness } from './journey-model.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const HOUR = 3_600_000
/** Clocks went back in Berlin on 25 October and in New York on 1 November. */
const START = Date.parse('2026-10-05T00:00:00Z')
const HOURS = 45 * 24

/** Few users and half hours, so that events often lie on the bounds of days in every zone. */
function generate(tenantId: number, seed: number): TestEvent[] {
  let state = seed
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
  return Array.from({ length: 900 }, (_, position) => {
    const user = Math.floor(25 * next() ** 2)
    return {
      tenantId,
      event: pick(['View', 'Buy']),
      userId: user % 5 === 0 ? null : `user-${user}`,
      anonymousId: `anonymous-${user}`,
      timestampMs: START + Math.floor(next() * HOURS * 2) * (HOUR / 2) - pick([0, 0, 1]),
      properties: next() < 0.9 ? { plan: pick(['free', 'pro']) } : null,
      partition: user % 4,
      position,
    }
  })
}

type Interval = '1d' | '1w' | '1mo'

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

/** The name of the day, the week (by its first day) or the month that an instant belongs to in a zone. */
function periodNamer(interval: Interval, timeZone: string, weekStart: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat('sv', { timeZone, dateStyle: 'short' })
  return (ms) => {
    const day = format.format(ms)
    if (interval === '1mo') return day.slice(0, 7)
    if (interval === '1d') return day
    const date = new Date(`${day}T00:00:00Z`)
    while (WEEKDAYS[date.getUTCDay()] !== (weekStart || 'monday')) date.setUTCDate(date.getUTCDate() - 1)
    return date.toISOString().slice(0, 10)
  }
}

const instant = fc.integer({ min: -60, max: HOURS + 60 }).map((hours) => START + hours * HOUR)
const range = fc
  .tuple(instant, instant)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ fromMs: Math.min(a, b), toMs: Math.max(a, b) }))
const question = fc.record({
  range,
  event: fc.constantFrom('', 'View'),
  interval: fc.constantFrom<Interval>('1d', '1d', '1w', '1w', '1mo'),
  weekStart: fc.constantFrom('', 'monday', 'sunday', 'saturday'),
  timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'),
  isGrouped: fc.boolean(),
  isFiltered: fc.boolean(),
  isCompared: fc.boolean(),
})

describe('a stickiness query', () => {
  let service: ServiceUnderTest
  let tenantId: number
  let events: TestEvent[]

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + HOURS * HOUR })
    tenantId = await createTenant(service.database, 'acme')
    const other = await createTenant(service.database, 'other')
    events = generate(tenantId, 3)
    await storeEvents(service.database, [...events, ...generate(other, 4)])
  })
  afterAll(() => service.close())

  const run = (fields: Partial<RunQueryRequest>) => service.query(queryOf({ kind: 'stickiness', ...fields }), tenantId)
  const october = { from: new Date('2026-10-05T00:00:00Z'), to: new Date('2026-10-19T00:00:00Z') }

  it('counts each user once per group at the number of calendar periods with events, like a naive count does', async () => {
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        const { interval, timezone, weekStart, isGrouped, isFiltered, isCompared } = asked
        const answer = await run({
          from: new Date(asked.range.fromMs),
          to: new Date(asked.range.toMs),
          event: asked.event,
          interval,
          timezone,
          weekStart,
          groupBy: isGrouped ? ['properties.plan'] : [],
          filters: isFiltered ? [{ property: 'properties.plan', op: 'ne', valueJson: '"free"' }] : [],
          compare: isCompared ? 'previous' : '',
        })
        const nameOf = periodNamer(interval, timezone, weekStart)
        const groupOf = ({ properties }: TestEvent) =>
          isGrouped && properties !== null ? String(properties.plan) : null
        const count = ({ fromMs, toMs }: { fromMs: number; toMs: number }) => {
          const within = events.filter(
            (one) =>
              one.timestampMs >= fromMs &&
              one.timestampMs < toMs &&
              (asked.event === '' || one.event === asked.event) &&
              !(isFiltered && one.properties?.plan === 'free'),
          )
          const names = new Set<string>()
          for (let ms = fromMs; ms < toMs; ms += HOUR / 2) names.add(nameOf(ms))
          const groups = modelStickiness(within, { periodOf: ({ timestampMs }) => nameOf(timestampMs), groupOf })
          if (!isGrouped && groups.size === 0) groups.set(null, new Map())
          return {
            groups,
            periods: names.size,
            users: new Set(within.map((one) => one.userId ?? one.anonymousId)).size,
          }
        }
        const current = count(asked.range)
        const before = count(previousRange({ ...asked.range, interval, zone: findTimeZone(timezone) }))
        const previousOf = (group: string | null, periods: number) => {
          const counts = before.groups.get(group)
          return counts === undefined || periods > before.periods ? null : (counts.get(periods) ?? 0)
        }
        const expected = [...current.groups]
          .sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1))
          .flatMap(([group, counts]) => {
            const all = [...counts.values()].reduce((sum, value) => sum + value, 0)
            const atLeast = (least: number) =>
              [...counts].reduce((sum, [periods, value]) => sum + (periods >= least ? value : 0), 0)
            return Array.from({ length: current.periods }, (_, index): QueryPoint => {
              const value = counts.get(index + 1) ?? 0
              return {
                periods: index + 1,
                ...(isGrouped && { group: group === null ? {} : { 'properties.plan': group } }),
                value,
                ...(isCompared && { previous: previousOf(group, index + 1) }),
                values: { rate: all === 0 ? null : value / all, users_cumulative: atLeast(index + 1) },
              }
            })
          })
        expect(answer.data).toEqual(expected)
        expect(answer.summary).toEqual({ users: current.users, periods: current.periods })
      }),
      { numRuns: 120, seed: 8 },
    )
  })

  it('takes an event at the last moment of a long day and one at the first moment of the next for two days', async () => {
    const at = (text: string) => Date.parse(text)
    const night: TestEvent[] = [
      at('2026-10-24T22:00:00Z'),
      at('2026-10-25T22:59:59.999Z'),
      at('2026-10-25T23:00:00Z'),
    ].map((timestampMs, index) => ({
      tenantId,
      event: 'Night',
      userId: 'owl',
      timestampMs,
      properties: null,
      partition: 0,
      position: 10_000 + index,
    }))
    await storeEvents(service.database, night)
    const range = { event: 'Night', from: new Date('2026-10-24T00:00:00Z'), to: new Date('2026-10-27T00:00:00Z') }
    const values = async (timezone: string) => (await run({ ...range, timezone })).data.map(({ value }) => value)
    // In Berlin the first two lie in the 25 hours of Sunday; in UTC each lies on a day of its own but the last two.
    expect(await values('Europe/Berlin')).toEqual([0, 1, 0, 0])
    expect(await values('UTC')).toEqual([0, 1, 0])
    expect(await values('America/New_York')).toEqual([0, 1, 0, 0])
  })

  it('gives every point on exactly one page, and keeps the range of the first page', async () => {
    const fields = { ...october, groupBy: ['properties.plan'], compare: 'previous' }
    const whole = await run(fields)
    const pages: QueryPoint[] = []
    let cursor = ''
    do {
      const page = await run({ ...fields, limit: 5, cursor })
      expect(page.data.length).toBeLessThanOrEqual(5)
      expect(page.summary).toEqual(whole.summary)
      pages.push(...page.data)
      cursor = page.nextCursor
    } while (cursor !== '')
    expect(pages).toEqual(whole.data)
    expect(pages).toHaveLength(3 * 14)
  })

  it('explains that it read raw rows where no day is packed', async () => {
    const { meta } = await run(october)
    expect(meta?.source).toBe('raw')
    expect(JSON.parse(meta?.planJson ?? '')).toMatchObject({ source: 'raw' })
  })

  it.each([
    ['hours', { interval: '1h' }, 'INVALID_INTERVAL'],
    ['more than 367 days', { from: new Date('2025-01-01T00:00:00Z') }, 'TOO_MANY_BUCKETS'],
    ['a comparison with anything but the previous period', { compare: 'next' }, 'INVALID_COMPARE'],
    ['the cursor of another kind', { cursor: Buffer.from('{"kind":"top"}').toString('base64url') }, 'INVALID_CURSOR'],
  ])('rejects %s', async (_title, fields: Partial<RunQueryRequest>, code) => {
    await expect(run({ ...october, ...fields })).rejects.toMatchObject({ code })
  })
})
