import { describe, expect, it } from '@jest/globals'
import { wordsOf } from '@millrace/column-store'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { levelIndex } from '../records/severity.js'
import type { LogRow } from '../search/compiled-query.js'
import { meets } from '../search/match-text.js'
import { compilePredicate, compileQuery } from './compile-query.js'
import { parseQuery } from './parse-query.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

function line(fields: Partial<LogRow> & { attributes?: object } = {}): LogRow {
  const { attributes = {}, ...more } = fields
  return {
    timeMs: 0,
    timeSubNs: 0,
    severity: 9,
    severityText: 'INFO',
    service: 'cart',
    host: 'web-1',
    traceId: TRACE,
    spanId: '',
    message: 'Payment of order-41 failed: Straße "x"',
    attributesJson: JSON.stringify(attributes),
    flags: 2,
    originalBytes: 0,
    partition: 0,
    ordinal: 0,
    ...more,
  }
}

/** Whether the line fulfils what is handed to the store. */
function storeFinds(query: string, row: LogRow): boolean {
  const { levels, services, needs, matches } = compileQuery(parseQuery(query))
  return (
    ((levels >> levelIndex(row.severity)) & 1) !== 0 &&
    (services === undefined || services.includes(row.service)) &&
    (needs === undefined || meets(row, needs)) &&
    (matches === undefined || matches(row))
  )
}

const finds = (query: string, row: LogRow) => {
  const found = compilePredicate(parseQuery(query))(row)
  expect([query, storeFinds(query, row)]).toEqual([query, found])
  return found
}

describe('a compiled query', () => {
  it.each([
    ['payment', true],
    ['PAYMENT', true],
    ['pay', false],
    ['pay*', true],
    ['ayment', false],
    ['*ymen*', true],
    ['"payment of"', true],
    ['"of payment"', false],
    ['"payment order"', false],
    ['order-41', true],
    ['order-4', false],
    ['order-4*', true],
    ['strasse', true],
    ['"failed:"', true],
    ['STRASS*', true],
    ['/order-\\d+/', true],
    ['/ORDER/', false],
    ['/ORDER/i', true],
    ['/^failed/', false],
    ['message:payment', true],
    ['message:bob', false],
    ['bob', true],
    ['email', false],
    ['level:info', true],
    ['level:information', true],
    ['level>=warn', false],
    ['level<warn', true],
    ['level!=info', false],
    ['NOT level:(warn OR error)', true],
    ['level:*', true],
    ['severity:9', true],
    ['severity>9', false],
    ['service:cart', true],
    ['service:car', false],
    ['service:CART', false],
    ['service:car*', true],
    ['service:*AR*', true],
    ['service:/^c.*t$/', true],
    ['service:""', false],
    ['service:(pay OR cart)', true],
    ['host:web-1', true],
    [`trace:${TRACE.toUpperCase()}`, true],
    ['trace_id:0af7*', true],
    ['span_id:""', true],
    ['span:*', false],
    ['flags:cut', true],
    ['flags:timeGuessed', false],
    ['severity_text:INFO', true],
    ['user.name:bob', true],
    ['user.name:BOB', true],
    ['user:bob', true],
    ['user.nam:bob', false],
    ['http.status:500', true],
    ['http.status=500', true],
    ['http.status=500.0', true],
    ['http.status!=500', false],
    ['http.status>=500', true],
    ['http.status>99', true],
    ['http.status<500', false],
    ['text.number>9', true],
    ['text.number="10"', true],
    ['big=9007199254740993', true],
    ['big=9007199254740992', false],
    ['big>9007199254740992', true],
    ['items.sku:b2', true],
    ['tags:red', true],
    ['tags=red', true],
    ['flag:true', true],
    ['flag=true', true],
    ['none:*', false],
    ['missing:*', false],
    ['user:*', true],
    ['missing!=1', true],
    ['NOT missing:*', true],
    ['attributes.host:inner', true],
    ['host:inner', false],
    ['"odd key":1', true],
    ['at>=2026-11-01', true],
    ['at<"2026-11-01T00:00:00Z"', false],
    ['payment AND NOT bob', false],
    ['payment (bob OR alice)', true],
    ['level:debug OR payment', true],
    ['(level:info service:pay) OR (level:warn service:cart)', false],
    ['(level:info service:cart) OR level:fatal', true],
    ['alice OR service:cart', true],
    ['service:pay service:cart', false],
    ['*', true],
  ])(
    'gives the same result for a whole line and for the conditions that are handed to the store: %s is %s',
    (query, expected) => {
      const row = line({
        attributes: {
          user: { name: 'Bob' },
          'http.status': 500,
          text: { number: '10' },
          big: '9007199254740993',
          items: [{ sku: 'a1' }, { sku: 'b2' }],
          tags: ['red', 'blue'],
          flag: true,
          none: null,
          host: 'inner',
          'odd key': 1,
          at: '2026-11-30T10:00:00Z',
        },
      })
      expect(finds(query, row)).toBe(expected)
    },
  )

  it('finds words as a comparison of lists of words does, in any text', () => {
    const text = fc
      .array(
        fc.constantFrom(
          'ab',
          'Ab',
          'abc',
          'b',
          ' ',
          ' ',
          '-',
          'ß',
          'SS',
          '𝔘',
          'é',
          'e\u0301',
          '_',
          '1',
          '.',
          'Σ',
          'ς',
          '\u212a',
          'k',
        ),
        { maxLength: 8 },
      )
      .map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(text, text, fc.boolean(), (message, wanted, isInAttribute) => {
        const [word] = wordsOf(wanted)
        if (word === undefined) return
        const row = isInAttribute ? line({ message: '', attributes: { deep: [{ text: message }] } }) : line({ message })
        expect([message, word, finds(`"${word}"`, row)]).toEqual([message, word, wordsOf(message).includes(word)])
        expect(finds(`"${word}"*`, row)).toBe(wordsOf(message).some((one) => one.startsWith(word)))
      }),
      { numRuns: propertyRuns(1_000) },
    )
  })

  it('gives the store conditions that never leave out a matching line, whatever the query is', () => {
    const leaf = fc.constantFrom(
      'ab',
      '"ab c"',
      'a*',
      '*b*',
      '/a.?b/',
      '/abc?d/',
      'level>=warn',
      'level:info',
      'service:cart',
      'service:pay',
      'service:c*',
      'host:h',
      'n:1',
      'n>0',
      'n=ab',
      'n:*',
      'message:ab',
      'trace:*',
      '*',
    )
    const tree = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        leaf,
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a} ${b})`),
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a} OR ${b})`),
        tie('node').map((a) => `NOT ${a}`),
      ),
    })).node
    const row = fc.record({
      message: fc.constantFrom('ab', 'ab c', 'xab', 'abcd', '', 'a b'),
      service: fc.constantFrom('cart', 'pay', ''),
      severity: fc.constantFrom(0, 9, 13, 17),
      host: fc.constantFrom('h', ''),
      traceId: fc.constantFrom('', TRACE),
      attributes: fc.constantFrom({}, { n: 1 }, { n: 'ab' }, { n: { x: 'AB c' } }, { m: ['abd'] }),
    })
    fc.assert(
      fc.property(tree, row, (query, fields) => {
        fc.pre((query.match(/NOT|\(/g) ?? []).length < 20)
        finds(query, line(fields))
      }),
      { numRuns: propertyRuns(1_500) },
    )
  })
})
