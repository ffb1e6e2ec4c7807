import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DecodeFault } from './decode-fault.js'
import { JsonReader } from './json-reader.js'

const read = (text: string, depthMax = 32) => new JsonReader(text, depthMax).read()

describe('the exact JSON reader', () => {
  it('reads every document that JSON.stringify writes as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 10 }), fc.boolean(), (text, isIndented) => {
        const spaced = isIndented ? JSON.stringify(JSON.parse(text), null, 2) : text
        expect(JSON.stringify(read(spaced))).toBe(JSON.stringify(JSON.parse(spaced)))
      }),
    )
  })

  it('refuses exactly the texts that JSON.parse refuses', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '\\',
      '\\u12',
      '0',
      '1',
      '-',
      '.',
      'e5',
      ' ',
      '\n',
      'true',
      'nul',
      'null',
      '\u0001',
      '\u00a0',
      'x',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('')
        let isValid = true
        try {
          JSON.parse(text)
        } catch {
          isValid = false
        }
        if (isValid) expect(() => read(text)).not.toThrow()
        else expect(() => read(text)).toThrow(DecodeFault)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740993', '9007199254740993'],
    ['1234567890123456', 1_234_567_890_123_456],
    ['1764499999123456789', '1764499999123456789'],
    ['0.1', 0.1],
    ['0.12345678901234567891', '0.12345678901234567891'],
    ['1e3', 1000],
    ['1e400', '1e400'],
    ['-1e400', '-1e400'],
    ['1e-400', '1e-400'],
    ['0e-400', 0],
    ['-0', -0],
    ['1.50', 1.5],
  ])('reads the number %s without a change of its value', (text, value) => {
    expect(read(text)).toBe(value)
  })

  it('keeps all values of a repeated name and says so', () => {
    const reader = new JsonReader('{"a":1,"a":2,"a#2":3,"":4,"":5,"__proto__":6,"constructor":7}', 8)
    expect(Object.entries(reader.read() as object)).toEqual([
      ['a', 1],
      ['a#2', 2],
      ['a#2#2', 3],
      ['', 4],
      ['#2', 5],
      ['__proto__', 6],
      ['constructor', 7],
    ])
    expect(reader.notes.isRepeated).toBe(true)
  })

  it('takes time in proportion to the text when one name is repeated 100,000 times', () => {
    const text = `{${Array.from({ length: 100_000 }, () => '"a":1').join(',')}}`
    expect(Object.keys(read(text) as object)).toHaveLength(100_000)
  })

  it('keeps what is nested too deeply as text, also 200,000 levels', () => {
    const reader = new JsonReader('{"a":[{"b":[1,"]",{"c":2}]}]}', 3)
    expect(reader.read()).toEqual({ a: [{ b: '[1,"]",{"c":2}]' }] })
    expect(reader.notes.isDepthCut).toBe(true)
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    expect(JSON.stringify(read(deep, 2))).toHaveLength(400_000 + 2)
    expect(() => read('['.repeat(200_000), 2)).toThrow('the text ends early')
  })

  it('replaces half of a surrogate pair and says so', () => {
    const reader = new JsonReader('"a\\ud83d \\ud83d\\ude00"', 2)
    expect(reader.read()).toBe('a\ufffd 😀')
    expect(reader.notes.isRepaired).toBe(true)
  })

  it('ignores a byte order mark', () => {
    expect(read('\ufeff[1]')).toEqual([1])
  })
})
