import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parseTimestamp } from './parse-timestamp.js'

const parse = (text: string) => parseTimestamp(Buffer.from(`"${text}"`), 1, Buffer.byteLength(text) + 1)

describe('the timestamp parser', () => {
  it('returns the same time as Date for every year from 0000 to 9999', () => {
    fc.assert(
      fc.property(
        fc.date({
          min: new Date('0000-01-01T00:00:00Z'),
          max: new Date('9999-12-31T23:59:59.999Z'),
          noInvalidDate: true,
        }),
        (date) => {
          expect(parse(date.toISOString())).toBe(date.getTime())
        },
      ),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['2026-11-21T08:00:00Z', '2026-11-21T08:00:00.000Z'],
    ['2026-11-21t08:00:00z', '2026-11-21T08:00:00.000Z'],
    ['2026-11-21 08:00:00+00:00', '2026-11-21T08:00:00.000Z'],
    ['2026-11-21T08:00:00.1+05:30', '2026-11-21T02:30:00.100Z'],
    ['2026-11-21T08:00:00.123456789-0330', '2026-11-21T11:30:00.123Z'],
    ['2024-02-29T23:59:60Z', '2024-03-01T00:00:00.000Z'],
    ['0000-02-29T00:00:00Z', '0000-02-29T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('accepts %s', (text, expected) => {
    expect(parse(text)).toBe(new Date(expected).getTime())
  })

  it.each([
    '',
    'now',
    '2026-11-21',
    '2026-11-21T08:00Z',
    '2026-11-21T08:00:00',
    '2026-13-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:61Z',
    '2026-01-01T00:00:00.Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+01',
    '2026-01-01T00:00:00Zx',
    '+12026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.123456789012345678901Z',
    '２０２６-01-01T00:00:00Z',
    '2026/01/01T00:00:00Z',
    '-001-01-01T00:00:00Z',
    '1763712000000000000000',
  ])('returns NaN for %p', (text) => {
    expect(parse(text)).toBeNaN()
  })
})
