import { describe, expect, it } from '@jest/globals'
import { findOutside, findWrong, LATE_BOUND_MS, type SumFacts } from './judge.js'
import { createSetQuestions } from './set-questions.js'

const NOW = 1_000_000_000
const facts = (more: Partial<SumFacts> = {}): SumFacts => ({
  base: new Map([['a', 10]]),
  live: [
    { key: 'a', amount: 1, committedMs: NOW - 60_000, visibleMs: NOW - 60_000, acknowledgedMs: NOW - 59_000 },
    { key: 'a', amount: 1, committedMs: NOW - 500, visibleMs: NOW - 500, acknowledgedMs: NOW - 400 },
    { key: 'b', amount: 1, committedMs: NOW - 60_000, visibleMs: NOW - 60_000, acknowledgedMs: NOW - 59_000 },
  ],
  isClosed: false,
  ...more,
})
const answer = (
  values: Record<string, number>,
  more: { ageMs?: number; watermarkMs?: number; isStale?: boolean } = {},
) => ({
  sentMs: NOW,
  receivedMs: NOW + 5,
  ageMs: 0,
  watermarkMs: 0,
  ...more,
  values: new Map(Object.entries(values)),
})
const wrongKeys = (...args: Parameters<typeof findWrong>) => findWrong(...args).map(({ key }) => key)

describe('the judge of answers', () => {
  it('the judge accepts an answer that includes everything that was stored', () => {
    expect(findWrong(answer({ a: 12, b: 1 }), facts())).toEqual([])
  })

  it('the judge finds a value that lacks an event stored before the age that the answer states', () => {
    expect(wrongKeys(answer({ a: 11, b: 1 }), facts())).toEqual(['a'])
    expect(wrongKeys(answer({ a: 11, b: 1 }, { ageMs: 1000 }), facts())).toEqual([])
  })

  it('the judge finds a value that lacks an event acknowledged before the watermark of the answer', () => {
    expect(wrongKeys(answer({ a: 10, b: 0 }, { ageMs: 120_000 }), facts())).toEqual([])
    expect(wrongKeys(answer({ a: 10, b: 0 }, { ageMs: 120_000, watermarkMs: NOW - 10_000 }), facts())).toEqual([
      'a',
      'b',
    ])
  })

  it('the judge finds a closed range that lacks a late event after the time limit, whatever age the answer states', () => {
    const closed = facts({ isClosed: true })
    expect(wrongKeys(answer({ a: 10, b: 1 }, { ageMs: 3_600_000 }), closed)).toEqual(['a'])
    expect(wrongKeys(answer({ a: 11, b: 1 }, { ageMs: LATE_BOUND_MS }), closed)).toEqual([])
    expect(wrongKeys(answer({ a: 10, b: 1 }, { ageMs: 3_600_000, isStale: true }), closed)).toEqual([])
  })

  it('the judge finds a value that contains events which were never stored', () => {
    expect(wrongKeys(answer({ a: 13, b: 1, c: 1 }), facts())).toEqual(['a', 'c'])
  })

  it('the judge finds a missing group, except in a list that was cut at its limit', () => {
    expect(wrongKeys(answer({ a: 12 }), facts())).toEqual(['b'])
    expect(wrongKeys(answer({ a: 12 }), facts({ isWhole: false }))).toEqual([])
  })
})

describe('the judge of answers that are not sums', () => {
  const DAY = 86_400_000
  const END = Date.parse('2026-11-21T12:00:00Z')
  const day = END - (END % DAY)
  /** The closed question of each kind, and the answer to it for one user with these events and nothing else. */
  const visit = (event: string, timeMs: number, properties = {}) => ({
    ...{ userId: 'live-1', event, timeMs, properties },
    ...{ committedMs: NOW - 60_000, visibleMs: NOW - 60_000, acknowledgedMs: NOW - 59_000 },
  })
  type Visit = ReturnType<typeof visit>
  const at = day - DAY
  const iso = (timeMs: number) => new Date(timeMs).toISOString()
  const noBase = { others: new Map(), live: [] }
  const cases = [
    {
      kind: 'uniques',
      base: new Map([[String(at), { others: 99, users: [] }]]),
      live: [visit('Product Viewed', at)],
      right: [{ time: iso(at), value: 100 }],
      wrong: [{ time: iso(at), value: 90 }],
    },
    {
      kind: 'percentiles',
      base: new Map([[String(at), [10, 30]]]),
      live: [visit('Order Completed', at, { revenue: 20 })],
      right: [{ time: iso(at), value: 30, values: { p50: 20.1, p95: 30, p99: 30, count: 3 } }],
      wrong: [{ time: iso(at), value: 30, values: { p50: 21, p95: 30, p99: 30, count: 3 } }],
    },
    {
      kind: 'funnel',
      base: { others: new Map([['0', { least: 5, most: 5 }]]), live: [] },
      live: [visit('Product Viewed', at), visit('Product Added', at + 1000)],
      right: [
        { step: 0, value: 6 },
        { step: 1, value: 1 },
        { step: 2, value: 0 },
      ],
      wrong: [
        { step: 0, value: 6 },
        { step: 1, value: 2 },
        { step: 2, value: 0 },
      ],
    },
    {
      kind: 'retention',
      base: noBase,
      live: [visit('Product Added', day - 3 * DAY), visit('Product Added', at)],
      right: [
        { time: iso(day - 3 * DAY), period: 0, value: 1 },
        { time: iso(day - 3 * DAY), period: 2, value: 1 },
      ],
      wrong: [
        { time: iso(day - 3 * DAY), period: 0, value: 1 },
        { time: iso(day - 3 * DAY), period: 1, value: 1 },
      ],
    },
    {
      kind: 'sessions',
      base: noBase,
      live: [visit('Page Viewed', at), visit('Page Viewed', at + 3_600_000)],
      right: [{ value: 2, values: { users: 1 } }],
      wrong: [{ value: 1, values: { users: 1 } }],
    },
  ]

  it.each(cases)('the judge finds a tampered answer of kind $kind, and accepts a right one', (given) => {
    const question = createSetQuestions({ endMs: END }).find(
      ({ query, isClosed }) => query.kind === given.kind && isClosed,
    )
    if (question === undefined) throw new Error('there is no such question')
    const { isClosed, isIn, boundsOf, valuesOf } = question
    const live = given.live.filter(isIn)
    expect(live).toHaveLength(given.live.length)
    const judge = (points: readonly object[], over = {}) => {
      const facts = {
        live,
        isClosed,
        boundsOf: (must: readonly Visit[], may: readonly Visit[]) => boundsOf(given.base, must, may),
      }
      return findOutside({ ...answer({}), ...over, values: valuesOf(points) }, facts)
    }
    expect(judge(given.right)).toEqual([])
    expect(judge(given.wrong)).not.toEqual([])
    expect(judge([])).not.toEqual([])
    // An answer to another kind of question, as tampering with the cache gives it.
    expect(judge([{ group: { event: 'A' }, value: 7 }])).not.toEqual([])
    // Nothing of it is known to be stored yet: an answer without it is right too, one that has it as well.
    const unsure = live.map((event) => ({ ...event, visibleMs: NOW + 1, acknowledgedMs: NOW + 1 }))
    const facts = {
      live: unsure,
      isClosed,
      boundsOf: (must: readonly Visit[], may: readonly Visit[]) => boundsOf(given.base, must, may),
    }
    expect(findOutside({ ...answer({}), values: valuesOf(given.right) }, facts)).toEqual([])
  })
})
