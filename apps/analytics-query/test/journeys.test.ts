import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { QueryPoint, RunQueryRequest } from '@millrace/contracts'
import fc from 'fast-check'
import { storeEvents, type TestEvent } from './generated-data.js'
import { modelFunnel, modelRetention, modelSessions, summariseLengths } from './journey-model.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const START = Date.UTC(2026, 9, 20)
const DAYS = 12
const DAY = 86_400_000
const MINUTE = 60_000
const NAMES = ['View', 'Add', 'Buy', 'Other']

/** A small seeded generator, so that a failure can be seen again. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

/** Bursts of a few minutes, some events at one instant and all users of one partition each; arriving in no order. */
function generate(tenantId: number, next: () => number): TestEvent[] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
  const events: Omit<TestEvent, 'position'>[] = []
  for (let visit = 0; visit < 420; visit++) {
    const user = Math.floor(40 * next() ** 2)
    let timestampMs = START + Math.floor(next() * DAYS * 24 * 12) * 5 * MINUTE
    for (let left = 1 + Math.floor(next() * 6); left > 0; left--) {
      events.push({
        tenantId,
        event: pick(NAMES),
        userId: user % 7 === 0 ? null : `user-${user}`,
        anonymousId: `anonymous-${user}`,
        timestampMs,
        properties: next() < 0.9 ? { plan: pick(['free', 'pro', 3, '']), size: Math.floor(next() * 10) } : null,
        partition: user % 4,
      })
      timestampMs += pick([0, 0, 1, 7000, 4 * MINUTE, 30 * MINUTE - 1, 30 * MINUTE])
    }
  }
  const order = events.map((_, index) => ({ index, place: next() })).sort((a, b) => a.place - b.place)
  return order.map(({ index }, position) => ({ ...(events[index] as TestEvent), position }))
}

const FILTERS = {
  none: [],
  pro: [{ property: 'properties.plan', op: 'eq', valueJson: '"pro"' }],
  large: [{ property: 'properties.size', op: 'gte', valueJson: '5' }],
  few: [{ property: 'user_id', op: 'in', valueJson: '["user-1", "user-3", "user-8", "nobody"]' }],
} satisfies Record<string, RunQueryRequest['filters']>
type FilterName = keyof typeof FILTERS
const holds: Record<FilterName, (event: TestEvent) => boolean> = {
  none: () => true,
  pro: ({ properties }) => properties?.plan === 'pro',
  large: ({ properties }) => Number(properties?.size ?? -1) >= 5,
  few: ({ userId }) => ['user-1', 'user-3', 'user-8'].includes(userId ?? ''),
}

const instant = fc.integer({ min: -6, max: DAYS * 24 + 6 }).map((hours) => START + hours * 3_600_000)
const range = fc
  .tuple(instant, instant)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ from: new Date(Math.min(a, b)), to: new Date(Math.max(a, b)) }))
const filterName = fc.constantFrom<FilterName>('none', 'none', 'pro', 'large', 'few')

describe('a query over the events of each user', () => {
  let service: ServiceUnderTest
  let tenantId: number
  let events: TestEvent[]

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + DAYS * DAY })
    tenantId = await createTenant(service.database, 'acme')
    const other = await createTenant(service.database, 'other')
    events = generate(tenantId, random(11))
    await storeEvents(service.database, [...events, ...generate(other, random(12))])
  })
  afterAll(() => service.close())

  const run = (fields: Partial<RunQueryRequest>) => service.query(queryOf(fields), tenantId)
  const within = ({ from, to }: { from: Date; to: Date }) =>
    events.filter(({ timestampMs }) => timestampMs >= from.getTime() && timestampMs < to.getTime())

  it('a funnel equals the result of following each user step by step', async () => {
    const funnel = fc.record({
      range,
      steps: fc.array(fc.record({ event: fc.constantFrom(...NAMES), filter: filterName }), {
        minLength: 2,
        maxLength: 4,
      }),
      windowMs: fc.constantFrom(1, 7000, 10 * MINUTE, DAY, 14 * DAY),
      isGrouped: fc.boolean(),
      filter: filterName,
      afterRange: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(funnel, async ({ range, steps, windowMs, isGrouped, filter, afterRange }) => {
        const answer = await run({
          kind: 'funnel',
          ...range,
          steps: steps.map((step) => ({ event: step.event, filters: FILTERS[step.filter] })),
          windowMs: BigInt(windowMs),
          afterRange,
          filters: FILTERS[filter],
          groupBy: isGrouped ? ['properties.plan'] : [],
        })
        const model = modelFunnel(
          afterRange ? events.filter(({ timestampMs }) => timestampMs >= range.from.getTime()) : within(range),
          {
            beginBeforeMs: range.to.getTime(),
            steps: steps.map(
              (step) => (event) => event.event === step.event && holds[step.filter](event) && holds[filter](event),
            ),
            windowMs,
            groupOf: ({ properties }) => (isGrouped && properties !== null ? String(properties.plan) || null : null),
          },
        )
        if (!isGrouped && model.size === 0)
          model.set(
            null,
            steps.map(() => ({ users: 0, lengthsMs: [] })),
          )
        const expected = [...model]
          .sort(([a], [b]) => (a ?? '').localeCompare(b ?? ''))
          .flatMap(([group, counted]) =>
            counted.map(({ users, lengthsMs }, step) => [group, step, users, summariseLengths(lengthsMs)]),
          )
        expect(
          answer.data.map((point) => [
            point.group?.['properties.plan'] ?? null,
            point.step,
            point.value,
            secondsOf(point),
          ]),
        ).toEqual(expected)
      }),
      { numRuns: 40, seed: 5 },
    )
  })

  it('retention equals the periods of the first event and of the later events of each user', async () => {
    const retention = fc.record({
      range,
      first: fc.constantFrom('', 'View', 'Buy'),
      returns: fc.constantFrom('', 'Add', 'Buy'),
      // null for periods of a day, else the first day of weeks as the request and as getUTCDay name it.
      firstDay: fc.constantFrom<{ weekStart?: string; day: number } | null>(
        null,
        { day: 1 },
        { weekStart: 'sunday', day: 0 },
        { weekStart: 'saturday', day: 6 },
      ),
      isGrouped: fc.boolean(),
      filter: filterName,
    })
    await fc.assert(
      fc.asyncProperty(retention, async ({ range, first, returns, firstDay, isGrouped, filter }) => {
        const fields = { kind: 'retention', ...range, event: first, returnEvent: returns, filters: FILTERS[filter] }
        const groupBy = isGrouped ? ['properties.plan'] : []
        const answer = await run({
          ...fields,
          groupBy,
          interval: firstDay === null ? '1d' : '1w',
          weekStart: firstDay?.weekStart,
        })
        const starts: number[] = []
        let day = Math.floor(range.from.getTime() / DAY) * DAY
        while (firstDay !== null && new Date(day).getUTCDay() !== firstDay.day) day -= DAY
        for (; day < range.to.getTime(); day += firstDay === null ? DAY : 7 * DAY) starts.push(day)
        const model = modelRetention(within(range).filter(holds[filter]), {
          starts,
          isFirst: ({ event }) => first === '' || event === first,
          isReturn: ({ event }) => returns === '' || event === returns,
          groupOf: ({ properties }) => (isGrouped && properties !== null ? String(properties.plan) || null : null),
        })
        if (!isGrouped && model.size === 0)
          model.set(
            null,
            starts.map((_, index) => ({ size: 0, returned: starts.slice(index).map(() => 0) })),
          )
        const expected = new Map(
          [...model].flatMap(([group, cohorts]) =>
            cohorts.flatMap(({ size, returned }, cohort) =>
              returned
                .filter(() => size > 0 || !isGrouped)
                .map((value, period) => [JSON.stringify([starts[cohort], group, period]), [value, size]] as const),
            ),
          ),
        )
        const actual = answer.data.map(
          ({ time, group, period, value, values }) =>
            [
              JSON.stringify([Date.parse(time ?? ''), group?.['properties.plan'] ?? null, period]),
              [value, values?.cohort_size],
            ] as const,
        )
        expect(actual).toHaveLength(expected.size)
        expect(new Map(actual)).toEqual(expected)
      }),
      { numRuns: 40, seed: 6 },
    )
  })

  it('sessions are the runs of events of a user with less than the gap between them, each in the bucket of its first event', async () => {
    const sessions = fc.record({
      range,
      event: fc.constantFrom('', 'View'),
      gapMs: fc.constantFrom(1, 5 * MINUTE, 30 * MINUTE, 6 * 60 * MINUTE),
      isGrouped: fc.boolean(),
      filter: filterName,
    })
    await fc.assert(
      fc.asyncProperty(sessions, async ({ range, event, gapMs, isGrouped, filter }) => {
        const answer = await run({
          kind: 'sessions',
          ...range,
          event,
          interval: '1d',
          windowMs: BigInt(gapMs),
          filters: FILTERS[filter],
          groupBy: isGrouped ? ['properties.plan'] : [],
          fill: 'none',
        })
        const before = events.filter(
          (one) => one.timestampMs < range.to.getTime() && (event === '' || one.event === event) && holds[filter](one),
        )
        const counted = modelSessions(before, gapMs).filter(({ beginMs }) => beginMs >= range.from.getTime())
        const groupOf = ({ first }: (typeof counted)[number]) =>
          isGrouped && first.properties !== null ? String(first.properties.plan) || null : null
        const cells = new Map<string, typeof counted>()
        for (const session of counted) {
          const key = JSON.stringify([
            new Date(Math.floor(session.beginMs / DAY) * DAY).toISOString(),
            groupOf(session),
          ])
          cells.set(key, [...(cells.get(key) ?? []), session])
        }
        const expected = new Map([...cells].map(([key, some]) => [key, sessionValues(some)]))
        const actual = answer.data.map(
          (point) =>
            [
              JSON.stringify([point.time, point.group?.['properties.plan'] ?? null]),
              { ...pick(point), sessions: point.value, ...secondsOf(point) },
            ] as const,
        )
        expect(new Map(actual)).toEqual(expected)
        const summary = answer.summary as Record<string, number>
        expect([summary.sessions, summary.users, summary.events]).toEqual([
          counted.length,
          new Set(counted.map(({ user }) => user)).size,
          counted.reduce((sum, one) => sum + one.events, 0),
        ])
      }),
      { numRuns: 40, seed: 7 },
    )
  })
})

function secondsOf({ values }: QueryPoint) {
  return { seconds_avg: values?.seconds_avg, seconds_p50: values?.seconds_p50, seconds_p95: values?.seconds_p95 }
}

function pick({ values }: QueryPoint) {
  return { users: values?.users, events: values?.events, bounce_rate: values?.bounce_rate }
}

function sessionValues(some: readonly { user: string; events: number; lengthMs: number }[]) {
  return {
    sessions: some.length,
    users: new Set(some.map(({ user }) => user)).size,
    events: some.reduce((sum, one) => sum + one.events, 0),
    bounce_rate: some.filter((one) => one.events === 1).length / some.length,
    ...summariseLengths(some.map(({ lengthMs }) => lengthMs)),
  }
}
