import { describe, expect, it } from '@jest/globals'
import { type Interval, isClockInterval, listBuckets } from './buckets.js'
import { alignByLocalTime, alignByNumber, previousRange } from './previous-range.js'
import { findTimeZone, instantOfLocal } from './time-zone.js'

interface Case {
  readonly from: string
  readonly to: string
  readonly interval: Interval | null
  readonly zone: string
}

const HOUR = 3_600_000

const iso = (ms: number) => new Date(ms).toISOString()

function previousOf({ from, to, interval, zone }: Case) {
  return previousRange({ fromMs: Date.parse(from), toMs: Date.parse(to), interval, zone: findTimeZone(zone) })
}

/** Start of each bucket, and of the one that it is compared with. */
function pairs(one: Case & { interval: Interval }): [string, string | null][] {
  const zone = findTimeZone(one.zone)
  const range = previousOf(one)
  const buckets = (fromMs: number, toMs: number) =>
    listBuckets({ fromMs, toMs, interval: one.interval, zone, bucketsMax: 1000 })
  const bucketStarts = buckets(Date.parse(one.from), Date.parse(one.to))
  const { starts, bucketOf } = isClockInterval(one.interval)
    ? alignByLocalTime({ interval: one.interval, bucketStarts }, range)
    : alignByNumber({ interval: one.interval, bucketStarts }, buckets(range.fromMs, range.toMs))
  return bucketStarts.map((start, index) => {
    const at = bucketOf[index] ?? null
    return [iso(start), at === null ? null : iso(starts[at] as number)]
  })
}

describe('the previous period of a range', () => {
  it.each<[string, Case, string, string]>([
    [
      'is of the same length',
      { from: '2026-11-10T10:20:00Z', to: '2026-11-10T13:20:00Z', interval: null, zone: 'UTC' },
      '2026-11-10T07:20:00.000Z',
      '2026-11-10T10:20:00.000Z',
    ],
    [
      'is as many buckets long, so that they line up',
      { from: '2026-11-10T10:20:00Z', to: '2026-11-10T12:50:00Z', interval: '1h', zone: 'UTC' },
      '2026-11-10T07:20:00.000Z',
      '2026-11-10T09:50:00.000Z',
    ],
    [
      'of a whole month is the month before, however long',
      { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z', interval: null, zone: 'UTC' },
      '2026-02-01T00:00:00.000Z',
      '2026-03-01T00:00:00.000Z',
    ],
    [
      'of a month by days has as many days',
      { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z', interval: '1d', zone: 'UTC' },
      '2026-01-29T00:00:00.000Z',
      '2026-03-01T00:00:00.000Z',
    ],
    [
      'of months begins on the last day of a month that is too short',
      { from: '2026-03-31T00:00:00Z', to: '2026-04-20T00:00:00Z', interval: '1mo', zone: 'UTC' },
      '2026-02-28T00:00:00.000Z',
      '2026-03-20T00:00:00.000Z',
    ],
    [
      'of a local month over a change of the clocks begins and ends at local midnight',
      { from: '2026-04-01T00:00:00+02:00', to: '2026-05-01T00:00:00+02:00', interval: null, zone: 'Europe/Berlin' },
      '2026-02-28T23:00:00.000Z',
      '2026-03-31T22:00:00.000Z',
    ],
    [
      'of the local day after the clocks went forward has 23 hours',
      { from: '2026-03-09T00:00:00-04:00', to: '2026-03-10T00:00:00-04:00', interval: null, zone: 'America/New_York' },
      '2026-03-08T05:00:00.000Z',
      '2026-03-09T04:00:00.000Z',
    ],
    [
      'of the local day after they went back by half an hour has 24 and a half',
      {
        from: '2026-04-06T00:00:00+10:30',
        to: '2026-04-07T00:00:00+10:30',
        interval: '1d',
        zone: 'Australia/Lord_Howe',
      },
      '2026-04-04T13:00:00.000Z',
      '2026-04-05T13:30:00.000Z',
    ],
    [
      'of weeks is whole weeks back',
      { from: '2026-11-04T00:00:00Z', to: '2026-11-12T00:00:00Z', interval: '1w', zone: 'Asia/Kolkata' },
      '2026-10-21T00:00:00.000Z',
      '2026-10-29T00:00:00.000Z',
    ],
  ])('%s', (_title, one, from, to) => {
    const { fromMs, toMs } = previousOf(one)
    expect([iso(fromMs), iso(toMs)]).toEqual([from, to])
  })

  it('has the hours of equal local time as counterparts, and one counterpart for an hour that occurs twice', () => {
    const day = {
      from: '2026-10-25T00:00:00+02:00',
      to: '2026-10-26T00:00:00+01:00',
      interval: '1h',
      zone: 'Europe/Berlin',
    } as const
    const compared = pairs(day)
    expect(compared).toHaveLength(25)
    expect(compared.slice(1, 5)).toEqual([
      ['2026-10-24T23:00:00.000Z', '2026-10-23T23:00:00.000Z'],
      ['2026-10-25T00:00:00.000Z', '2026-10-24T00:00:00.000Z'],
      ['2026-10-25T01:00:00.000Z', null],
      ['2026-10-25T02:00:00.000Z', '2026-10-24T01:00:00.000Z'],
    ])
  })

  it('has no counterpart for an hour that clocks skipped', () => {
    const day = {
      from: '2026-03-09T00:00:00-04:00',
      to: '2026-03-10T00:00:00-04:00',
      interval: '1h',
      zone: 'America/New_York',
    } as const
    const compared = pairs(day)
    expect(compared.filter(([, previous]) => previous === null)).toEqual([['2026-03-09T06:00:00.000Z', null]])
    expect(new Set(compared.map(([, previous]) => previous)).size).toBe(24)
  })

  it.each([
    ['twice', '2026-10-26T00:00:00+01:00', '2026-10-27T00:00:00+01:00', '2026-10-25T00:00:00.000Z', 24],
    ['only there', '2026-03-29T00:00:00+01:00', '2026-03-30T00:00:00+02:00', '2026-03-28T00:00:00.000Z', 23],
  ])('has one counterpart of two hours for an hour that occurred %s', (_title, from, to, start, hours) => {
    const compared = pairs({ from, to, interval: '1h', zone: 'Europe/Berlin' }).map(([, previous]) => previous)
    expect(compared).toHaveLength(hours)
    const lengths = compared.map((one, index) => Date.parse(compared[index + 1] as string) - Date.parse(one as string))
    expect(compared.filter((_, index) => lengths[index] === 7_200_000)).toEqual([start])
  })

  it.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/St_Johns'])(
    'is compared as a whole in %s, whatever clocks do in it or in the range',
    (name) => {
      const zone = findTimeZone(name)
      for (const change of ['2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01']) {
        for (const [first, hours] of [-2, -1, 0, 1].flatMap((day) =>
          [24, 26.5].map((length) => [day, length] as const),
        )) {
          const fromMs = instantOfLocal(Date.parse(change) + first * 24 * HOUR, zone)
          const toMs = instantOfLocal(Date.parse(change) + first * 24 * HOUR + hours * HOUR, zone)
          const range = previousRange({ fromMs, toMs, interval: '1h', zone })
          const bucketStarts = listBuckets({ fromMs, toMs: toMs, interval: '1h', zone, bucketsMax: 99 })
          const { starts, bucketOf } = alignByLocalTime({ interval: '1h', bucketStarts }, range)
          const shown = bucketOf.filter((index) => index !== null)
          // Every bucket of the previous period is shown exactly once, and together they cover it.
          expect([iso(fromMs), shown]).toEqual([iso(fromMs), starts.map((_, index) => index)])
          expect(starts[0]).toBeLessThanOrEqual(range.fromMs)
          expect(starts).toEqual([...new Set(starts)].sort((one, other) => one - other))
        }
      }
    },
  )

  it('has days, weeks and months with the same number as counterparts', () => {
    const months = pairs({
      from: '2026-03-01T00:00:00+01:00',
      to: '2026-05-01T00:00:00+02:00',
      interval: '1mo',
      zone: 'Europe/Berlin',
    })
    expect(months).toEqual([
      ['2026-02-28T23:00:00.000Z', '2025-12-31T23:00:00.000Z'],
      ['2026-03-31T22:00:00.000Z', '2026-01-31T23:00:00.000Z'],
    ])
  })
})

describe('the buckets of every quarter of an hour', () => {
  it.each(['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'America/St_Johns'])(
    'in %s',
    (name) => {
      const zone = findTimeZone(name)
      const label = new Intl.DateTimeFormat('en-CA', {
        timeZone: name,
        hourCycle: 'h23',
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
        hour: '2-digit',
      })
      const lengths = { '1h': 14, '1d': 10, '1mo': 7 } as const
      for (const middle of ['2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01']) {
        const [fromMs, toMs] = [Date.parse(middle) - 86_400_000, Date.parse(middle) + 2 * 86_400_000]
        for (const interval of ['1h', '1d', '1mo'] as const) {
          const starts = listBuckets({ fromMs, toMs, interval, zone, bucketsMax: 1000 })
          for (let ms = fromMs; ms < toMs; ms += 900_000) {
            const start = starts.findLast((candidate) => candidate <= ms) as number
            const cut = (at: number) => label.format(at).slice(0, lengths[interval])
            expect([name, iso(ms), cut(start)]).toEqual([name, iso(ms), cut(ms)])
          }
        }
      }
    },
  )
})
