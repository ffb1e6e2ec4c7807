import { describe, expect, it } from '@jest/globals'
import { isMillraceError } from '@millrace/contracts'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { literalOf } from './linear-regex.js'
import { parseQuery, QUERY_LIMITS } from './parse-query.js'
import { printQuery } from './print-query.js'
import type { Match, QueryNode } from './query-tree.js'

const words = (text: string, isPrefix = false) => ({ kind: 'words', text, isPrefix }) as const
const term = (match: Match, field?: string[]) => ({ kind: 'term', field, match }) as const
const word = (text: string, field?: string[]) => term(words(text), field)

describe('the query language for log lines', () => {
  it.each<[string, QueryNode]>([
    ['', { kind: 'all' }],
    [' * ', { kind: 'all' }],
    ['payment', word('payment')],
    ['order-41', word('order-41')],
    ['"payment failed"', word('payment failed')],
    ['"say \\"hi\\" \\\\ C:\\temp"', word('say "hi" \\ C:\\temp')],
    ['pay*', term(words('pay', true))],
    ['"payment fa"*', term(words('payment fa', true))],
    ['*men*', term({ kind: 'substring', text: 'men' })],
    ['*"t f"*', term({ kind: 'substring', text: 't f' })],
    ['/a\\/b:c+/i', term({ kind: 'regex', source: 'a/b:c+', ignoresCase: true })],
    ['a\\:b', word('a:b')],
    ['level:warn', word('warn', ['level'])],
    ['level>=warn', term({ kind: 'compare', operator: '>=', value: 'warn' }, ['level'])],
    ['http.status:500', word('500', ['http', 'status'])],
    ['"odd key".a."b c":x', word('x', ['odd key', 'a', 'b c'])],
    ['a."b c":x', word('x', ['a', 'b c'])],
    ['n:-5', word('-5', ['n'])],
    ['user:*', term({ kind: 'exists' }, ['user'])],
    ['n:>10', term({ kind: 'compare', operator: '>', value: '10' }, ['n'])],
    ['n=""', term({ kind: 'compare', operator: '=', value: '' }, ['n'])],
    ['n!=1', { kind: 'not', node: term({ kind: 'compare', operator: '=', value: '1' }, ['n']) }],
    ['a b', { kind: 'and', nodes: [word('a'), word('b')] }],
    ['a AND b', { kind: 'and', nodes: [word('a'), word('b')] }],
    ['a and b', { kind: 'and', nodes: [word('a'), word('and'), word('b')] }],
    ['a OR b c', { kind: 'or', nodes: [word('a'), { kind: 'and', nodes: [word('b'), word('c')] }] }],
    ['(a OR b) c', { kind: 'and', nodes: [{ kind: 'or', nodes: [word('a'), word('b')] }, word('c')] }],
    ['NOT a b', { kind: 'and', nodes: [{ kind: 'not', node: word('a') }, word('b')] }],
    [
      '-a -"b c"',
      {
        kind: 'and',
        nodes: [
          { kind: 'not', node: word('a') },
          { kind: 'not', node: word('b c') },
        ],
      },
    ],
    ['a - b', { kind: 'and', nodes: [word('a'), word('-'), word('b')] }],
    ['level:(error OR fatal)', { kind: 'or', nodes: [word('error', ['level']), word('fatal', ['level'])] }],
    ['"level":debug', word('debug', ['level'])],
  ])('reads %j', (text, tree) => {
    expect(parseQuery(text)).toEqual(tree)
  })

  it.each<[string, number, RegExp]>([
    ['payment "failed', 8, /the quotation mark is never closed; add " at the end/],
    ['a (b OR c', 2, /the parenthesis is never closed; add \) at the end/],
    ['a)', 1, /no opening parenthesis/],
    ['()', 0, /nothing in the parentheses/],
    ['a AND', 5, /a condition is missing at the end/],
    ['OR a', 0, /no condition before OR; put the word in quotation marks/],
    ['NOT', 3, /a condition is missing/],
    ['level:eror', 0, /there is no level "eror".*did you mean error\?/],
    ['level:err*', 0, /level takes the name of a level/],
    ['severity:25', 0, /whole number from 0 to 24/],
    ['trace:0af7', 0, /trace_id has 32 hexadecimal digits, not 4; write trace_id:0af7\* for all/],
    ['trace_id:xyz*', 0, /32 hexadecimal digits/],
    ['flags:cutt', 0, /did you mean cut\?/],
    [
      '12:30:45',
      0,
      /no name of a field before :; names begin with a letter; put other names, and texts with this character, in quotation marks/,
    ],
    ['url:http://x', 8, /the character : cannot stand directly after a text; put url:http:… in quotation marks/],
    ['a:b:c', 3, /cannot stand directly after a text/],
    ['n : 5', 2, /no name of a field before :/],
    ['service:', 8, /the field service has no value; write \* for any value/],
    ['n>', 2, /there is no value after >/],
    ['*ay', 0, /needs another one at its end; write \*ay\*/],
    ['p*y', 2, /a \* stands only at the end of a word/],
    ['/var/log', 5, /quotation marks/],
    ['/a', 0, /the regular expression is never closed/],
    ['//', 0, /the regular expression is empty/],
    ['/(a/', 0, /missing closing \)/],
    ['/(?=a)/', 0, /without lookaround/],
    ['/(a)\\1/', 0, /invalid escape sequence/],
    ['/((a{100}){10}){10}/', 0, /cannot be used/],
    ['/(x{0,100}y{0,100}z{0,100}){0,9}/', 0, /cannot be used/],
    ['level:(a:b)', 7, /cannot have a field of their own/],
    ['""', 0, /no text in the quotation marks/],
    ['a\\', 1, /nothing after the backslash/],
    ['"":x', 0, /no name of a field/],
    ['a..b:x', 0, /no name of a field/],
  ])('refuses %j at character %d', (text, position, message) => {
    try {
      parseQuery(text)
    } catch (error) {
      if (!isMillraceError(error)) throw error
      expect([error.code, error.details?.field, error.details?.position]).toEqual(['LOG_QUERY_INVALID', 'q', position])
      expect(error.message).toMatch(message)
      return
    }
    throw new Error('it was accepted')
  })

  it('bounds the length, the number of conditions and the depth of a query', () => {
    expect(() => parseQuery('a'.repeat(QUERY_LIMITS.characters + 1))).toThrow('at most 4096')
    expect(() => parseQuery('a '.repeat(QUERY_LIMITS.terms + 1))).toThrow('more than 100 conditions')
    const nested = (depth: number) => `${'('.repeat(depth)}a${')'.repeat(depth)}`
    expect(parseQuery(nested(QUERY_LIMITS.depth))).toEqual(word('a'))
    expect(() => parseQuery(nested(QUERY_LIMITS.depth + 1))).toThrow('more than 32 deep')
    expect(() => parseQuery(`${'NOT '.repeat(1000)}a`)).toThrow('more than 32 deep')
    expect(() => parseQuery('-a:'.repeat(1000))).toThrow('q is not valid')
  })

  const PIECES = [
    'a',
    'level',
    ':',
    'warn',
    '"',
    '\\',
    '(',
    ')',
    ' ',
    'AND',
    'OR',
    'NOT',
    '-',
    '*',
    '/',
    '[',
    '{2}',
    '>=',
    '<',
    '=',
    '!',
    '.',
    'i',
    '𝔘',
    'ß',
    '\0',
    '42',
    ',',
  ]

  it('refuses any text with LOG_QUERY_INVALID or gives a tree whose printed form gives the same tree', () => {
    const text = fc.oneof(
      fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((pieces) => pieces.join('')),
      fc.string({ unit: 'binary', maxLength: 40 }),
    )
    let accepted = 0
    fc.assert(
      fc.property(text, (query) => {
        let tree: QueryNode
        try {
          tree = parseQuery(query)
        } catch (error) {
          expect([isMillraceError(error) && error.code, error]).toEqual(['LOG_QUERY_INVALID', error])
          return
        }
        accepted++
        expect(parseQuery(printQuery(tree))).toEqual(tree)
      }),
      { numRuns: propertyRuns(1_500) },
    )
    expect(accepted).toBeGreaterThan(100)
  })

  it('finds a text that everything has which a regular expression matches, or none', () => {
    expect(literalOf({ source: 'timeout after \\d+ ms' })).toBe('timeout after')
    expect(literalOf({ source: 'colou?r: [a-z]+x{2}nothing\\.js' })).toBe('nothing.j')
    expect(literalOf({ source: '(abc|def)ghijk' })).toBeUndefined()
    expect(literalOf({ source: '(abcdef)?xyz0' })).toBe('xyz')
    expect(literalOf({ source: '[]abcdef]gh' })).toBeUndefined()
    expect(literalOf({ source: '(?i)abcdef' })).toBeUndefined()
  })
})
