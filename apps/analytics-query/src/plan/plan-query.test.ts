import { describe, expect, it } from '@jest/globals'
import { LEVEL_SECONDS, type LevelSeconds } from '@millrace/rollups'
import fc from 'fast-check'
import { parseFilters } from '../query/filter.js'
import { parseMetric } from '../query/metric.js'
import type { TimeRange } from '../query/time-range.js'
import type { ActiveDefinition, Catalog, PartitionState } from './catalog.js'
import { BASE_EVENT } from './choose-series.js'
import { type Cover, coverRange } from './cover-range.js'
import type { Plan } from './plan.js'
import { type PlanRequest, planQuery } from './plan-query.js'

const at = (text: string) => Date.parse(`2026-11-${text}Z`)
const always = { activeFromMs: Number.NEGATIVE_INFINITY, activeUntilMs: Number.POSITIVE_INFINITY, hasOverflow: false }
const BASE: ActiveDefinition = { event: BASE_EVENT, dimensions: [], property: null, ...always }
const flight = (
  dimensions: string[],
  property: string | null = null,
  more: Partial<ActiveDefinition> = {},
): ActiveDefinition => ({
  event: 'Flight',
  dimensions,
  property,
  ...always,
  ...more,
})
const catalogOf = (more: Partial<Catalog> = {}): Catalog => ({
  definitions: [BASE],
  dirty: {},
  partitions: [],
  keptFromMs: { 60: at('01T00:00') },
  ...more,
})
const requestOf = (more: Partial<PlanRequest> = {}): PlanRequest => {
  const fromMs = more.fromMs ?? at('02T00:00')
  return {
    event: null,
    metric: parseMetric('count', ''),
    filters: [],
    groupBy: [],
    fromMs,
    toMs: at('03T00:00'),
    bucketStarts: [fromMs],
    ...more,
  }
}
const times = (from: string, minutes: number) => Array.from({ length: minutes }, (_, n) => at(from) + n * 60_000)
const plan = (request: Partial<PlanRequest>, catalog: Partial<Catalog> = {}) =>
  planQuery(requestOf(request), catalogOf(catalog), { tailRowsMax: 100 })
const levels = ({ rollup }: Plan) =>
  Object.fromEntries(rollup.map(({ level, ranges }) => [level, ranges.map(({ fromMs, toMs }) => [fromMs, toMs])]))

describe('a query plan', () => {
  it('covers a whole day with the coarsest windows only', () => {
    expect(plan({})).toMatchObject({ source: 'rollup', raw: [], unflushed: { mode: 'none' } })
    expect(levels(plan({}))).toEqual({ 86400: [[at('02T00:00'), at('03T00:00')]] })
  })

  it('uses finer windows and raw rows at both ends of the range', () => {
    const ragged = plan({ fromMs: at('01T22:57:30'), toMs: at('03T01:06:10'), bucketStarts: [at('01T22:57:30')] })
    expect(ragged.source).toBe('mixed')
    expect(levels(ragged)).toEqual({
      60: [
        [at('01T22:58'), at('01T23:00')],
        [at('03T01:05'), at('03T01:06')],
      ],
      300: [[at('03T01:00'), at('03T01:05')]],
      3600: [
        [at('01T23:00'), at('02T00:00')],
        [at('03T00:00'), at('03T01:00')],
      ],
      86400: [[at('02T00:00'), at('03T00:00')]],
    })
    expect(ragged.raw).toEqual([
      { fromMs: at('01T22:57:30'), toMs: at('01T22:58') },
      { fromMs: at('03T01:06'), toMs: at('03T01:06:10') },
    ])
  })

  it('never uses a window that overlaps two buckets', () => {
    const halfHours = plan({ bucketStarts: [at('02T00:00'), at('02T05:30')] })
    expect(levels(halfHours)).toEqual({
      300: [[at('02T05:00'), at('02T06:00')]],
      3600: [
        [at('02T00:00'), at('02T05:00')],
        [at('02T06:00'), at('03T00:00')],
      ],
    })
  })

  it('does not use a dirty window, nor a coarser window that contains one', () => {
    expect(levels(plan({}, { dirty: { 300: [at('02T07:10')] } }))).toEqual({
      60: [[at('02T07:10'), at('02T07:15')]],
      300: [
        [at('02T07:00'), at('02T07:10')],
        [at('02T07:15'), at('02T08:00')],
      ],
      3600: [
        [at('02T00:00'), at('02T07:00')],
        [at('02T08:00'), at('03T00:00')],
      ],
    })
    expect(levels(plan({}, { dirty: { 86400: [at('02T00:00')] } }))).toEqual({
      3600: [[at('02T00:00'), at('03T00:00')]],
    })
  })

  it('uses only 1-minute windows when too many windows are dirty', () => {
    expect(levels(plan({}, { dirty: null }))).toEqual({ 60: [[at('02T00:00'), at('03T00:00')]] })
  })

  it('reads raw rows where 1-minute windows are deleted', () => {
    const old = plan({ fromMs: at('01T23:58'), bucketStarts: [at('01T23:58')] }, { keptFromMs: { 60: at('02T00:00') } })
    expect(old.raw).toEqual([{ fromMs: at('01T23:58'), toMs: at('02T00:00') }])
    expect(levels(old)).toEqual({ 86400: [[at('02T00:00'), at('03T00:00')]] })
  })

  it('does not use a deleted window, but the finer windows inside it as long as they are kept', () => {
    const gone = (keptFromMs: Catalog['keptFromMs']) => {
      const { rollup, raw } = plan({ fromMs: at('01T00:00'), bucketStarts: [at('01T00:00')] }, { keptFromMs })
      return [...rollup.map(({ level, ranges }) => [level, ...ranges]), ['raw', ...raw]]
    }
    const first = { fromMs: at('01T00:00'), toMs: at('02T00:00') }
    const second = { fromMs: at('02T00:00'), toMs: at('03T00:00') }
    expect(gone({ 86400: at('02T00:00') })).toEqual([[3600, first], [86400, second], ['raw']])
    expect(gone({ 86400: at('02T00:00'), 3600: at('02T00:00'), 300: at('02T00:00'), 60: at('02T00:00') })).toEqual([
      [86400, second],
      ['raw', first],
    ])
    // A day that begins before the retention limit is deleted as a whole.
    expect(gone({ 86400: at('02T00:01') })).toEqual([[3600, { fromMs: first.fromMs, toMs: second.toMs }], ['raw']])
  })

  it('reads minutes from 5-minute windows, and from 1-minute windows where the 5-minute window is dirty or deleted', () => {
    const minutes = (catalog: Partial<Catalog>) =>
      plan({ fromMs: at('02T00:01'), toMs: at('02T00:19'), bucketStarts: times('02T00:01', 18) }, catalog).rollup.map(
        ({ level, isPacked, ranges }) => [level, isPacked, ranges.map(({ fromMs, toMs }) => [fromMs, toMs])],
      )
    expect(minutes({})).toEqual([[60, true, [[at('02T00:01'), at('02T00:19')]]]])
    expect(minutes({ dirty: { 300: [at('02T00:00'), at('02T00:10')] } })).toEqual([
      [
        60,
        true,
        [
          [at('02T00:05'), at('02T00:10')],
          [at('02T00:15'), at('02T00:19')],
        ],
      ],
      [
        60,
        false,
        [
          [at('02T00:01'), at('02T00:05')],
          [at('02T00:10'), at('02T00:15')],
        ],
      ],
    ])
    expect(minutes({ keptFromMs: { 300: at('02T00:07') } })).toEqual([
      [60, true, [[at('02T00:10'), at('02T00:19')]]],
      [60, false, [[at('02T00:01'), at('02T00:10')]]],
    ])
    expect(minutes({ dirty: null })).toEqual([[60, false, [[at('02T00:01'), at('02T00:19')]]]])
  })

  it('reads raw rows before a definition was active and after it ended', () => {
    const active = { activeFromMs: at('02T10:00:20'), activeUntilMs: at('02T12:00:30') }
    const part = plan(
      { event: 'Flight', groupBy: ['properties.carrier'] },
      { definitions: [BASE, flight(['properties.carrier'], null, active)] },
    )
    expect(part.raw).toEqual([
      { fromMs: at('02T00:00'), toMs: at('02T10:01') },
      { fromMs: at('02T12:00'), toMs: at('03T00:00') },
    ])
    expect(part.rollup.map(({ level }) => level)).toEqual([60, 300, 3600])
  })

  it.each<[string, Partial<PlanRequest>, ActiveDefinition[], unknown]>([
    ['counts of all events come from the series of every event', {}, [], { event: null, dimensions: [] }],
    ['counts by event too', { groupBy: ['event'] }, [], { event: null, dimensions: [] }],
    ['one event from its own series', { event: 'Flight' }, [], { event: 'Flight', dimensions: [] }],
    [
      'the fewest dimensions that answer',
      { event: 'Flight', groupBy: ['properties.a'] },
      [flight(['properties.b', 'properties.a']), flight(['properties.a'])],
      { dimensions: ['properties.a'] },
    ],
    [
      'a filter needs its field too',
      {
        event: 'Flight',
        groupBy: ['properties.a'],
        filters: parseFilters([{ property: 'properties.b', op: 'eq', valueJson: '1' }]),
      },
      [flight(['properties.a']), flight(['properties.b', 'properties.a'])],
      { dimensions: ['properties.b', 'properties.a'] },
    ],
    [
      'a property is kept by its own definition',
      { event: 'Flight', metric: parseMetric('p95', 'properties.delay') },
      [flight([]), flight(['properties.a'], 'properties.delay')],
      { property: 'properties.delay' },
    ],
    [
      'all events together by a definition of *',
      { groupBy: ['properties.a'] },
      [flight(['properties.a']), { ...flight(['properties.a']), event: '*' }],
      { event: '*' },
    ],
    ['nothing keeps the field', { event: 'Flight', groupBy: ['properties.c'] }, [flight(['properties.a'])], null],
    [
      'another event has the definition',
      { event: 'Search', groupBy: ['properties.a'] },
      [flight(['properties.a'])],
      null,
    ],
    [
      'the definition exceeded its limit of series',
      { event: 'Flight', groupBy: ['properties.a'] },
      [flight(['properties.a'], null, { hasOverflow: true })],
      null,
    ],
    [
      'a filter compares numbers',
      { event: 'Flight', filters: parseFilters([{ property: 'properties.a', op: 'gt', valueJson: '1' }]) },
      [flight(['properties.a'])],
      null,
    ],
    [
      'no definition keeps users',
      { filters: parseFilters([{ property: 'user_id', op: 'eq', valueJson: '"u"' }]) },
      [],
      null,
    ],
  ])('chooses the series when %s', (_title, request, definitions, expected) => {
    const { series } = plan(request, { definitions: [BASE, ...definitions] })
    if (expected === null) expect(series).toBeNull()
    else expect(series).toMatchObject(expected as object)
  })

  const behind = (more: Partial<PartitionState> = {}): PartitionState => ({
    partition: 0,
    flushedOrdinal: 10n,
    nextOrdinal: 60n,
    watermarkMs: null,
    flushedWatermarkMs: null,
    unflushedFromMs: at('02T23:59:58'),
    unflushedToMs: at('03T00:00:04'),
    ...more,
  })
  it.each<[string, PartitionState[], unknown]>([
    [
      'reads them where they lie in the range',
      [behind()],
      { mode: 'read', rows: 50, ranges: [{ fromMs: at('02T23:59:58'), toMs: at('03T00:00') }] },
    ],
    [
      'does not look at those outside of it',
      [behind({ unflushedFromMs: at('03T00:00'), unflushedToMs: at('03T00:01') })],
      { mode: 'none' },
    ],
    ['needs nothing when all are rolled up', [behind({ nextOrdinal: 10n })], { mode: 'none' }],
    ['leaves out too many', [behind({ nextOrdinal: 1000n })], { mode: 'left_out', rows: 990 }],
    [
      'leaves out those whose times nobody knows',
      [behind(), behind({ partition: 1, unflushedFromMs: null })],
      { mode: 'left_out' },
    ],
  ])('decides about unflushed records: it %s', (_title, partitions, unflushed) => {
    expect(plan({}, { partitions }).unflushed).toMatchObject(unflushed as object)
  })

  it('covers every moment of the range exactly once, with whole windows that may be used', () => {
    const minute = 60_000
    const ranges = fc.record({
      from: fc.integer({ min: 0, max: 4000 }),
      length: fc.integer({ min: 1, max: 4000 }),
      raggedMs: fc.integer({ min: 0, max: minute }),
      cuts: fc.oneof(
        fc.array(fc.integer({ min: 1, max: 4000 }), { maxLength: 5 }),
        fc.constantFrom(1, 5, 60, 1440).map((every) => ({ every })),
      ),
      blocked: fc.array(fc.tuple(fc.constantFrom<LevelSeconds>(300, 3600, 86_400), fc.integer({ min: 0, max: 8000 })), {
        maxLength: 8,
      }),
      complete: fc.integer({ min: 0, max: 8000 }),
    })
    fc.assert(
      fc.property(ranges, ({ from, length, raggedMs, cuts, blocked, complete }) => {
        const origin = at('01T00:00')
        const fromMs = origin + from * minute + raggedMs
        const toMs = fromMs + length * minute
        const inner = Array.isArray(cuts)
          ? cuts.map((cut) => origin + (from + cut) * minute)
          : Array.from({ length: 9000 / cuts.every }, (_, index) => origin + index * cuts.every * minute)
        const bucketStarts = [fromMs, ...new Set(inner.filter((cut) => cut > fromMs && cut < toMs))].sort(
          (a, b) => a - b,
        )
        const blockedByLevel: Partial<Record<LevelSeconds, number[]>> = {}
        for (const [level, minutes] of blocked) {
          const width = level * 1000
          blockedByLevel[level] = [
            ...(blockedByLevel[level] ?? []),
            Math.floor((origin + minutes * minute) / width) * width,
          ]
        }
        for (const level of LEVEL_SECONDS)
          blockedByLevel[level] = [...new Set(blockedByLevel[level])].sort((a, b) => a - b)
        const request = {
          fromMs,
          toMs,
          bucketStarts,
          levels: LEVEL_SECONDS,
          blocked: blockedByLevel,
          complete: { fromMs: origin + complete * minute, toMs: Number.POSITIVE_INFINITY },
          keptFromMs: { 60: origin },
        }
        const cover = coverRange(request)
        const bucketByBucket = bucketStarts.flatMap((start, index) =>
          listed(
            coverRange({ ...request, fromMs: start, toMs: bucketStarts[index + 1] ?? toMs, bucketStarts: [start] }),
          ),
        )
        expect(listed(cover)).toEqual(merged(bucketByBucket))
        let reached = fromMs
        for (const piece of listed(cover)) {
          expect(piece.fromMs).toBe(reached)
          reached = piece.toMs
          if (piece.level === 0) continue
          const width = piece.level * 1000
          expect([piece.fromMs % width, piece.toMs % width]).toEqual([0, 0])
          expect(
            (blockedByLevel[piece.level as LevelSeconds] ?? []).some(
              (start) => start >= piece.fromMs && start < piece.toMs,
            ),
          ).toBe(false)
          expect(bucketStarts.some((start) => start > piece.fromMs && start < piece.toMs && start % width !== 0)).toBe(
            false,
          )
        }
        expect(reached).toBe(toMs)
      }),
    )
  })
})

interface Piece extends TimeRange {
  /** 0 for raw rows. */
  readonly level: number
}

function listed(cover: Cover): Piece[] {
  const pieces = cover.raw.map((range) => ({ ...range, level: 0 }))
  for (const [level, list] of cover.rollup) pieces.push(...list.map((range) => ({ ...range, level })))
  return pieces.sort((a, b) => a.fromMs - b.fromMs)
}

/** Neighbours of one level as one. */
function merged(pieces: readonly Piece[]): Piece[] {
  const all: Piece[] = []
  for (const piece of pieces) {
    const last = all.at(-1)
    if (last?.level === piece.level && last.toMs === piece.fromMs) all[all.length - 1] = { ...last, toMs: piece.toMs }
    else all.push(piece)
  }
  return all
}
