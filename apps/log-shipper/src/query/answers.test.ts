import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import type { LogRow } from '../search/compiled-query.js'
import { compilePredicate } from './compile-query.js'
import { bucketWidth, ValueCounts } from './count-lines.js'
import { createHighlighter } from './highlight-line.js'
import { createLineWriter, lineId, parseLineId } from './line-fields.js'
import { patternOf, queryOfPattern } from './log-patterns.js'
import { parseQuery } from './parse-query.js'

const row = (message: string, attributes: object = {}): LogRow => ({
  timeMs: 1_764_500_000_123,
  timeSubNs: 45,
  severity: 9,
  severityText: '',
  service: 'cart',
  host: '',
  traceId: '',
  spanId: '',
  message,
  attributesJson: JSON.stringify(attributes),
  flags: 0,
  originalBytes: 0,
  partition: 3,
  ordinal: 120,
})

describe('highlights', () => {
  it.each<[string, string, [number, number][]]>([
    [
      'strasse',
      'die STRASSE und die Straße',
      [
        [4, 11],
        [20, 26],
      ],
    ],
    [
      'é',
      'e\u0301 é',
      [
        [0, 2],
        [3, 4],
      ],
    ],
    [
      '*ay*',
      'pay Pay',
      [
        [1, 3],
        [5, 7],
      ],
    ],
    [
      'pay*',
      'pay payment repay',
      [
        [0, 3],
        [4, 7],
      ],
    ],
    ['𝔘', 'a 𝔘 b', [[2, 4]]],
    [
      '/o\\d+/',
      'o1 o22',
      [
        [0, 2],
        [3, 6],
      ],
    ],
    ['pay OR payment', 'payment', [[0, 7]]],
    ['NOT pay', 'pay', []],
    ['level:info', 'info', []],
  ])('of %s in %s are %j', (query, message, ranges) => {
    expect(createHighlighter(parseQuery(query))(row(message))).toEqual(
      ranges.length === 0 ? [] : [{ field: 'message', ranges }],
    )
  })

  it('of a line exist exactly if a condition on its texts holds', () => {
    const text = fc
      .array(fc.constantFrom('ab', 'AB', 'ß', 'ss', ' ', '-', 'é', 'x', '1'), { maxLength: 6 })
      .map((all) => all.join(''))
    fc.assert(
      fc.property(text, fc.constantFrom('ab', 'a*', '*b*', 'ss', 'é', '"x 1"', '/b./'), (message, query) => {
        const line = row(message)
        const node = parseQuery(query)
        expect([message, query, createHighlighter(node)(line).length > 0]).toEqual([
          message,
          query,
          compilePredicate(node)(line),
        ])
      }),
      { numRuns: propertyRuns(700) },
    )
  })
})

describe('the fields of a line in an answer', () => {
  it('are chosen by name and by path, in the form in which the line has them', () => {
    const line = row('m', { a: { b: 1, c: 2 }, 'a.b': 3, list: [{ x: 1, y: 2 }, { y: 3 }] })
    const written = JSON.parse(createLineWriter(['message', 'a.b', 'list.x', 'none'])(line)) as object
    expect(written).toEqual({ id: lineId(line), message: 'm', attributes: { a: { b: 1 }, 'a.b': 3, list: [{ x: 1 }] } })
    expect(JSON.parse(createLineWriter(['attributes'])(line))).toMatchObject({ attributes: { a: { b: 1, c: 2 } } })
    expect(Object.keys(JSON.parse(createLineWriter([])(line)) as object)).toHaveLength(13)
  })

  it('have an id from which the place of the line can be read', () => {
    expect(lineId(row(''))).toBe('1764500000123000045-3-120')
    expect(parseLineId(lineId(row('')))).toEqual({
      timeMs: 1_764_500_000_123,
      timeSubNs: 45,
      partition: 3,
      ordinal: 120,
    })
    for (const wrong of ['', '3-120', 'x-3-120', '1-1-1-1', `${'9'.repeat(30)}-1-1`])
      expect(parseLineId(wrong)).toBeUndefined()
  })
})

describe('patterns of messages', () => {
  it.each([
    ['Payment of order 42 failed', 'Payment of order <*> failed'],
    ['GET /api/v1/orders/42?x=1 took 12ms.', 'GET <*>?x=<*> took <*>.'],
    ['connect to 10.0.0.1:5432: refused', 'connect to <*>: refused'],
    ['no digits\nat line 3', 'no digits'],
    ['', ''],
  ])('of %j is %j', (message, pattern) => {
    expect(patternOf(message)).toBe(pattern)
  })

  it('give a query that finds the message', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'ab1', ' ', '(', '[x]', '\\', '/', '"', '12', '.', '$', '?', 'é'), {
          maxLength: 10,
        }),
        (parts) => {
          const message = parts.join('')
          expect(compilePredicate(parseQuery(queryOfPattern(patternOf(message))))(row(message))).toBe(true)
        },
      ),
      { numRuns: propertyRuns(700) },
    )
  })
})

describe('counts over lines', () => {
  it('choose a width of buckets by the range, and refuse one that makes too many', () => {
    const range = (ms: number) => ({ fromMs: 0, toMs: ms })
    expect(bucketWidth('auto', range(60_000))).toBe(1000)
    expect(bucketWidth('', range(86_400_000))).toBe(1_800_000)
    expect(bucketWidth('auto', range(3 * 365 * 86_400_000))).toBe(11 * 86_400_000)
    expect(bucketWidth('2h', range(86_400_000))).toBe(7_200_000)
    for (const wrong of ['1', 's', '-1s', '1.5h', '1w', '1s'])
      expect(() => bucketWidth(wrong, range(86_400_000))).toThrow('interval')
  })

  it('count at most 100,000 different values, and say how many lines have others', () => {
    const counts = new ValueCounts()
    for (let value = 0; value < 100_010; value++) counts.add(String(value))
    expect(counts.add('5')).toBe(true)
    expect([counts.distinct, counts.uncounted, counts.top(1)]).toEqual([100_000, 10, [{ value: '5', count: 2 }]])
  })
})
