import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { BOOLEAN_PAIRS, parseBoolean } from './boolean-format.js'
import { DATE_ORDERS, type DateOrder, parseDate } from './date-format.js'
import { type DecimalMark, parseNumber } from './number-format.js'

describe('a number in a text', () => {
  it.each<[string, DecimalMark, string | undefined]>([
    ['18500.00', 'point', '18500.00'],
    ['18500.00', 'comma', undefined],
    ['18.500,00', 'comma', '18500.00'],
    ['18.500,00', 'point', undefined],
    ['1,234', 'point', '1234'],
    ['1,234', 'comma', '1.234'],
    ['1 234 567,8', 'comma', '1234567.8'],
    ["1'234.5", 'point', '1234.5'],
    ['12,34,567.8', 'point', '1234567.8'],
    ['1,23', 'point', undefined],
    ['1,2345', 'point', undefined],
    ['1,234 567', 'point', undefined],
    ['-0.50', 'point', '-0.50'],
    ['+7', 'point', '7'],
    [' 42 ', 'point', '42'],
    ['1e5', 'point', '1e5'],
    ['12345678901234567890.123456789', 'point', '12345678901234567890.123456789'],
    ['01234', 'point', undefined],
    ['0', 'point', '0'],
    ['', 'point', undefined],
    ['.5', 'point', undefined],
    ['1.', 'point', undefined],
    ['1-2', 'point', undefined],
    ['٣', 'point', undefined],
  ])('%j is, with a decimal %s, %j', (text, mark, expected) => {
    expect(parseNumber(text, mark)).toBe(expected)
  })

  it('has the value of the digits that were grouped', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat({ max: 999 }), (whole, fraction) => {
        const formatted = new Intl.NumberFormat('de', { minimumFractionDigits: 3 }).format(whole)
        const text = formatted.replace(/,000$/, `,${String(fraction).padStart(3, '0')}`)
        expect(Number(parseNumber(text, 'comma'))).toBeCloseTo(
          Number(`${whole}.${String(fraction).padStart(3, '0')}`),
          3,
        )
      }),
    )
  })
})

describe('a date in a text', () => {
  it.each<[string, DateOrder, string | undefined]>([
    ['2023-02-01', 'ymd', '2023-02-01'],
    ['2024/2/29', 'ymd', '2024-02-29'],
    ['2023-02-29', 'ymd', undefined],
    ['1900-02-29', 'ymd', undefined],
    ['01/02/2023', 'dmy', '2023-02-01'],
    ['01/02/2023', 'mdy', '2023-01-02'],
    ['13/02/2023', 'mdy', undefined],
    ['1.2.23', 'dmyy', '2023-02-01'],
    ['01-02/2023', 'dmy', undefined],
    ['23-02-01', 'yymd', '2023-02-01'],
    ['1/2/70', 'mdyy', '1970-01-02'],
    ['3 September 2023', 'd-mon-y', '2023-09-03'],
    ['03-SEP-2023', 'd-mon-y', '2023-09-03'],
    ['Sept. 3, 2023', 'mon-d-y', '2023-09-03'],
    ['2023-02-01T10:11:12.123456789Z', 'ymd', '2023-02-01 10:11:12.123456789 Z'],
    ['2023-02-01 10:11', 'ymd', '2023-02-01 10:11:00'],
    ['2023-02-01 10:11:12+0530', 'ymd', '2023-02-01 10:11:12 +05:30'],
    ['2023-02-01 10:11:12-08', 'ymd', '2023-02-01 10:11:12 -08:00'],
    ['2/1/2023 12:05 AM', 'mdy', '2023-02-01 00:05:00'],
    ['2/1/2023 1:05 pm', 'mdy', '2023-02-01 13:05:00'],
    ['2/1/2023 13:05 pm', 'mdy', undefined],
    ['2023-02-01 24:00', 'ymd', undefined],
    ['2023-02-01 10:61', 'ymd', undefined],
    ['0000-01-01', 'ymd', undefined],
    ['20230201', 'ymd', undefined],
    ['', 'ymd', undefined],
  ])('%j is, in the order %s, %j', (text, order, expected) => {
    const parsed = parseDate(text, order)
    expect(parsed && [parsed.date, parsed.time, parsed.zone].filter((part) => part !== undefined).join(' ')).toBe(
      expected,
    )
  })

  it('is the day that was written, in every order', () => {
    const day = fc.date({ min: new Date('1970-01-01'), max: new Date('2069-12-31'), noInvalidDate: true })
    fc.assert(
      fc.property(day, fc.constantFrom(...DATE_ORDERS), (date, order) => {
        const iso = date.toISOString().slice(0, 10)
        const [year, month, dayOfMonth] = iso.split('-') as [string, string, string]
        const name = date.toLocaleString('en', { month: 'long', timeZone: 'UTC' })
        const short = year.slice(2)
        const written: Record<DateOrder, string> = {
          ymd: iso,
          dmy: `${dayOfMonth}.${month}.${year}`,
          mdy: `${Number(month)}/${Number(dayOfMonth)}/${year}`,
          yymd: `${short}/${month}/${dayOfMonth}`,
          dmyy: `${dayOfMonth}-${month}-${short}`,
          mdyy: `${month}/${dayOfMonth}/${short}`,
          'd-mon-y': `${dayOfMonth} ${name} ${year}`,
          'mon-d-y': `${name} ${dayOfMonth}, ${year}`,
        }
        expect(parseDate(written[order], order)?.date).toBe(iso)
      }),
    )
  })
})

describe('a boolean in a text', () => {
  it.each(BOOLEAN_PAIRS)('may be written %s and %s', (yes, no) => {
    expect([yes, no.toUpperCase(), 'maybe'].map((text) => parseBoolean(text, [yes, no]))).toEqual([
      true,
      false,
      undefined,
    ])
  })
})
