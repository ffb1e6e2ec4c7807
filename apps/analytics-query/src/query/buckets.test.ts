import { describe, expect, it } from '@jest/globals'
import { type Interval, listBuckets } from './buckets.js'
import { findTimeZone } from './time-zone.js'

function starts(from: string, to: string, interval: Interval, zone = 'UTC', bucketsMax = 1000): string[] {
  const request = { fromMs: Date.parse(from), toMs: Date.parse(to), interval, zone: findTimeZone(zone), bucketsMax }
  return listBuckets(request).map((ms) => new Date(ms).toISOString())
}

describe('the buckets of a range', () => {
  it.each<[string, string, string, Interval, string, string[]]>([
    [
      'begin before a ragged start',
      '2026-11-01T10:20:30Z',
      '2026-11-01T12:00:00Z',
      '1h',
      'UTC',
      ['2026-11-01T10:00:00.000Z', '2026-11-01T11:00:00.000Z'],
    ],
    [
      'are local hours where the offset is no whole hour',
      '2026-11-01T10:00:00Z',
      '2026-11-01T11:00:00Z',
      '1h',
      'Asia/Kolkata',
      ['2026-11-01T09:30:00.000Z', '2026-11-01T10:30:00.000Z'],
    ],
    [
      'have 23 hours on the day the clocks go forward',
      '2026-03-29T00:00:00+01:00',
      '2026-03-31T00:00:00+02:00',
      '1d',
      'Europe/Berlin',
      ['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
    ],
    [
      'have 25 hours on the day the clocks go back',
      '2026-10-25T00:00:00+02:00',
      '2026-10-27T00:00:00+01:00',
      '1d',
      'Europe/Berlin',
      ['2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
    ],
    [
      'count the hour that comes twice twice',
      '2026-10-25T00:00:00Z',
      '2026-10-25T03:00:00Z',
      '1h',
      'Europe/Berlin',
      ['2026-10-25T00:00:00.000Z', '2026-10-25T01:00:00.000Z', '2026-10-25T02:00:00.000Z'],
    ],
    [
      'begin where midnight is skipped at the end of the gap',
      '2018-11-03T12:00:00Z',
      '2018-11-05T12:00:00Z',
      '1d',
      'America/Sao_Paulo',
      ['2018-11-03T03:00:00.000Z', '2018-11-04T03:00:00.000Z', '2018-11-05T02:00:00.000Z'],
    ],
    [
      'begin at the first of two midnights',
      '2026-11-01T00:00:00-04:00',
      '2026-11-02T12:00:00Z',
      '1d',
      'America/Havana',
      ['2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z'],
    ],
    [
      'leave out a day that a zone skipped',
      '2011-12-29T12:00:00-10:00',
      '2011-12-31T12:00:00+14:00',
      '1d',
      'Pacific/Apia',
      ['2011-12-29T10:00:00.000Z', '2011-12-30T10:00:00.000Z'],
    ],
    [
      'are aligned anew after a shift of half an hour',
      '2026-04-04T13:30:00Z',
      '2026-04-04T17:00:00Z',
      '1h',
      'Australia/Lord_Howe',
      [
        '2026-04-04T13:00:00.000Z',
        '2026-04-04T14:00:00.000Z',
        '2026-04-04T15:00:00.000Z',
        '2026-04-04T15:30:00.000Z',
        '2026-04-04T16:30:00.000Z',
      ],
    ],
    [
      'are weeks from Monday',
      '2026-11-04T00:00:00Z',
      '2026-11-10T00:00:00Z',
      '1w',
      'UTC',
      ['2026-11-02T00:00:00.000Z', '2026-11-09T00:00:00.000Z'],
    ],
    [
      'are calendar months',
      '2026-01-31T12:00:00Z',
      '2026-03-01T00:00:00Z',
      '1mo',
      'UTC',
      ['2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'],
    ],
    [
      'are local months',
      '2026-02-28T23:30:00Z',
      '2026-03-02T00:00:00Z',
      '1mo',
      'Europe/Berlin',
      ['2026-02-28T23:00:00.000Z'],
    ],
  ])('%s', (_title, from, to, interval, zone, expected) => {
    expect(starts(from, to, interval, zone)).toEqual(expected)
  })

  it.each<[Interval, string]>([
    ['1m', 'America/New_York'],
    ['5m', 'Asia/Kathmandu'],
    ['1h', 'Australia/Lord_Howe'],
    ['1d', 'Africa/Casablanca'],
    ['1w', 'Asia/Beirut'],
    ['1mo', 'America/Asuncion'],
  ])('of %s in %s ascend and cover the range, over every clock change of a year', (interval, zone) => {
    const step = interval === '1m' ? 86_400_000 : 366 * 86_400_000
    const fromMs = interval === '1m' ? Date.UTC(2026, 2, 8) : Date.UTC(2026, 0, 1, 0, 7)
    const list = listBuckets({ fromMs, toMs: fromMs + step, interval, zone: findTimeZone(zone), bucketsMax: 200_000 })
    expect(list[0]).toBeLessThanOrEqual(fromMs)
    expect(list[1]).toBeGreaterThan(fromMs)
    expect(list.every((start, index) => index === 0 || start > (list[index - 1] as number))).toBe(true)
  })

  it('are rejected with their number when there are more than the limit', () => {
    expect(() => starts('2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z', '1m')).toThrow(
      expect.objectContaining({ code: 'TOO_MANY_BUCKETS', message: expect.stringContaining('44640 buckets') }),
    )
  })

  it('are rejected when the time zone is not known', () => {
    expect(() => findTimeZone('Mars/Olympus')).toThrow(
      expect.objectContaining({ code: 'INVALID_TIMEZONE', message: expect.stringContaining('Mars/Olympus') }),
    )
  })
})

describe('weeks', () => {
  it.each(['monday', 'sunday', 'saturday'] as const)('begin at the local midnight of every %s', (weekStart) => {
    for (const name of ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Pacific/Apia']) {
      const zone = findTimeZone(name)
      const weekday = new Intl.DateTimeFormat('en', {
        timeZone: name,
        weekday: 'long',
        hour: '2-digit',
        hourCycle: 'h23',
      })
      for (let day = 0; day < 400; day += 3) {
        const fromMs = Date.UTC(2026, 0, 1) + day * 86_400_000 + 5_000_000
        const toMs = fromMs + 15 * 86_400_000
        const starts = listBuckets({ fromMs, toMs, interval: '1w', zone, weekStart, bucketsMax: 10 })
        for (const start of starts)
          expect(weekday.format(start).toLowerCase()).toMatch(new RegExp(`^${weekStart}\\W+00$`))
        const [first = 0, second = 0] = starts
        expect(first <= fromMs && fromMs < second).toBe(true)
      }
    }
  })
})
