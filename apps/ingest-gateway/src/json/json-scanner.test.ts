import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { JsonScanner, SCAN_FLAG } from './json-scanner.js'
import { JsonSyntaxError, locate } from './json-syntax-error.js'

function scan(text: string | Buffer): JsonScanner {
  const bytes = Buffer.concat([Buffer.from(text), Buffer.of(0)])
  const scanner = new JsonScanner(bytes)
  scanner.end = bytes.length - 1
  const end = scanner.skipSpace(scanner.skipValue(scanner.skipSpace(0)))
  if (end !== scanner.end) throw scanner.unexpected(end, 'the end of the text')
  return scanner
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function isScanned(text: string): boolean {
  try {
    scan(text)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(JsonSyntaxError)
    return false
  }
}

/** JSON with white space, escapes and odd numbers in odd places, then damaged here and there. */
const token = fc.oneof(
  fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    ' ',
    '\n',
    '\t',
    '\r',
    'true',
    'false',
    'null',
    'tru',
    '-',
    '+',
    '.',
    '0',
    '1',
    '9',
    'e',
    'E',
  ),
  fc.constantFrom(
    '"a"',
    '"a":',
    '{"a":1}',
    '[1,2]',
    '-0',
    '-01',
    '1.',
    '.5',
    '1.5e+3',
    '1e',
    '"\\u0041"',
    '"\\ud800"',
    '"\\x"',
    '"\u0001"',
    '\u00a0',
    'é',
    '\u0000',
  ),
)
const nearlyJson = fc.oneof(
  fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join('')),
  fc.tuple(fc.json(), fc.nat(), token).map(([text, at, noise]) => {
    const place = at % (text.length + 1)
    return text.slice(0, place) + noise + text.slice(place)
  }),
  fc
    .tuple(fc.json(), fc.nat(), fc.nat(3))
    .map(([text, at, gone]) => text.slice(0, at % (text.length + 1)) + text.slice((at % (text.length + 1)) + gone)),
  fc
    .tuple(fc.jsonValue(), fc.constantFrom(0, 1, '\t', '\r\n'))
    .map(([value, space]) => JSON.stringify(value, null, space)),
)

describe('the JSON scanner', () => {
  it('accepts exactly the texts that JSON.parse accepts', () => {
    fc.assert(
      fc.property(nearlyJson, (text) => {
        // A lone surrogate in a text has no UTF-8, so the two would not see the same.
        fc.pre(text.isWellFormed())
        expect(isScanned(text)).toBe(isJson(text))
      }),
      { numRuns: propertyRuns(5_000) },
    )
  })

  it('returns the offset after each value', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 5 }), (values) => {
        const texts = values.map((value) => JSON.stringify(value))
        const bytes = Buffer.from(`${texts.join(' ')} \0`)
        const scanner = new JsonScanner(bytes)
        let at = 0
        for (const text of texts) {
          const end = scanner.skipValue(at)
          expect(bytes.toString('utf8', at, end)).toBe(text)
          at = end + 1
        }
      }),
    )
  })

  it('flags what jsonb cannot hold', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('\ud800', '\udbff', '\udc00', '\udfff', 'a', '\0') }),
        (head, tail) => {
          const text = head + tail
          const { flags } = scan(JSON.stringify({ [text]: [text] }).replaceAll('\0', '\\u0000'))
          expect((flags & SCAN_FLAG.nul) !== 0).toBe(text.includes('\0'))
          expect((flags & SCAN_FLAG.loneSurrogate) !== 0).toBe(!text.isWellFormed())
        },
      ),
    )
  })

  it.each([
    ['1e308', 0],
    ['1.8e308', SCAN_FLAG.numberRange],
    ['-1e309', SCAN_FLAG.numberRange],
    ['1e200000', SCAN_FLAG.numberRange],
    ['1e-400', SCAN_FLAG.numberRange],
    ['0e-99999', 0],
    ['0.0e99999', 0],
    ['4.9e-324', 0],
    ['1e-324', SCAN_FLAG.numberRange],
    ['1'.repeat(308), 0],
    ['1'.repeat(310), SCAN_FLAG.numberRange],
    [`0.${'1'.repeat(1000)}`, 0],
    [`0.${'1'.repeat(1100)}`, SCAN_FLAG.numberRange],
  ])('flags the range of %s', (text, flags) => {
    expect(scan(`[${text}]`).flags).toBe(flags)
  })

  it('counts members and levels, also for nesting that would overflow a call stack', () => {
    const scanner = scan('{"a":{"b":[[]]},"c":1}')
    expect([scanner.members, scanner.deepest]).toEqual([3, 4])
    expect(scan(`${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`).deepest).toBe(100_000)
  })

  it.each([
    ['', 0, 1, 1, 'the end of the text'],
    ['{"a":1,\n "b":tru}', 16, 2, 9, "'}'"],
    ['{"a" 1}', 5, 1, 6, "'1'"],
    ['[1,]', 3, 1, 4, "']'"],
    ['{"a":1,}', 7, 1, 8, "'}'"],
    ["{'a':1}", 1, 1, 2, "'''"],
    ['"\u0007"', 1, 1, 2, 'byte 0x07'],
    ['1 2', 2, 1, 3, "'2'"],
    ['{"é":x}', 6, 1, 7, "'x'"],
    ['"abc', 4, 1, 5, 'the end of the text'],
    ['[0\u0000]', 2, 1, 3, 'byte 0x00'],
  ])('reports where and why %p is not JSON', (text, offset, line, column, found) => {
    try {
      scan(text)
      throw new Error('was taken')
    } catch (error) {
      expect(error).toBeInstanceOf(JsonSyntaxError)
      expect(error).toMatchObject({ offset })
      expect((error as Error).message).toContain(`found ${found} instead of`)
      expect(locate(Buffer.from(text), offset)).toEqual({ line, column })
    }
  })
})
