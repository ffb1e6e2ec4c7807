import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import type { FileRecord, ReaderLimits } from '../records/file-record.js'
import type { JsonFormat } from './json-format.js'
import { JsonReader } from './json-reader.js'

const LINES: JsonFormat = { layout: 'lines', columns: ['a', 'b'] }
const ARRAY: JsonFormat = { layout: 'array', columns: ['a', 'b'] }

function readPieces(
  bytes: Uint8Array,
  format: JsonFormat,
  { size = bytes.length, limits = {} as Partial<ReaderLimits> } = {},
): FileRecord[] {
  const reader = new JsonReader({ format, limits })
  const records: FileRecord[] = []
  for (let at = 0; at < bytes.length; at += size) records.push(...reader.push(bytes.subarray(at, at + size)))
  return [...records, ...reader.end()]
}

/** Short forms: `line:cells` and `line!code`. */
const brief = (text: string, format: JsonFormat) =>
  readPieces(Buffer.from(text), format).map((record) =>
    record.kind === 'record' ? `${record.line}:${JSON.stringify(record.cells)}` : `${record.line}!${record.code}`,
  )

describe('a reader of NDJSON', () => {
  it.each([
    ['reads an object a line', '{"a":"x","b":"y"}\n{"b":"z","a":"w"}', ['1:["x","y"]', '2:["w","z"]']],
    ['leaves out empty lines and takes CR LF', '\n{"a":1}\r\n  \r\n{"b":true}\n', ['2:["1",null]', '4:[null,"true"]']],
    ['takes null and absent members as null', '{"a":null}\n', ['1:[null,null]']],
    [
      'keeps the digits of numbers',
      '{"a":12345678901234567890,"b":1.10}\n{"a":1e400,"b": -0 }\n',
      ['1:["12345678901234567890","1.10"]', '2:["1e400","-0"]'],
    ],
    ['keeps objects and lists as JSON', '{"a":{"x":[1,"}"]},"b":[]}\n', ['1:["{\\"x\\":[1,\\"}\\"]}","[]"]']],
    [
      'rejects a line that is not JSON, and no other',
      '{"a":1}\n{"a":\n{"a":2}\n',
      ['1:["1",null]', '2!invalid_json', '3:["2",null]'],
    ],
    [
      'rejects JSON that is no object',
      '[1]\n"x"\nnull\n{"a":2}\n',
      ['1!not_an_object', '2!not_an_object', '3!not_an_object', '4:["2",null]'],
    ],
    ['rejects a NUL character', '{"a":"x\\u0000"}\n', ['1!nul_character']],
  ])('%s', (_title, text, expected) => {
    expect(brief(text, LINES)).toEqual(expected)
  })

  it('names the members that are no column', () => {
    expect(readPieces(Buffer.from('{"a":1,"c":2,"d":3}'), LINES)).toMatchObject([{ otherMembers: ['c', 'd'] }])
  })
})

describe('a reader of a JSON list', () => {
  it.each([
    ['reads the objects of the list', '[{"a":"x"},\n {"a":"y","b":"]},{"}]\n', ['1:["x",null]', '2:["y","]},{"]']],
    ['reads objects of several lines', '[\n{\n"a":"x"\n},\n{"a":"y"}]', ['2:["x",null]', '5:["y",null]']],
    ['is empty for an empty list', ' [ ]\n', []],
    [
      'rejects an element that is no object, and no other',
      '[{"a":1},7,x,{"a":2}]',
      ['1:["1",null]', '1!not_an_object', '1!invalid_json', '1:["2",null]'],
    ],
    [
      'rejects an object with an error inside, and no other',
      '[{"a":1},{"a":x},{"a":2}]',
      ['1:["1",null]', '1!invalid_json', '1:["2",null]'],
    ],
    [
      'goes on at the next line with an object after a bracket that is missing',
      '[\n{"a":{"b":1},\n{"a":2},\n{"a":3}\n]',
      ['2!invalid_json', '3:["2",null]', '4:["3",null]'],
    ],
    [
      'does not take an object inside a bad record for a record',
      '[\n  {"a":[\n    {"a":9},\n    {"a":8}\n  ],,},\n  {"a":2}\n]',
      ['2!invalid_json', '6:["2",null]'],
    ],
    ['rejects the last object of a file that is cut', '[{"a":1},{"a":', ['1:["1",null]', '1!invalid_json']],
  ])('%s', (_title, text, expected) => {
    expect(brief(text, ARRAY)).toEqual(expected)
  })
})

describe.each([
  ['NDJSON', LINES],
  ['a JSON list', ARRAY],
])('a reader of %s', (_name, format) => {
  it('returns the same records for every way to split any bytes into pieces', () => {
    const part = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      ',',
      ':',
      '\n',
      '\r\n',
      ' ',
      '{"a":1}',
      '{"a":"x\\"y"}\n',
      '\n{"b":[{}]}',
      'ä',
      '7',
      'xxxxxxxxxxxxxx',
    )
    const bytes = fc.array(part, { maxLength: 50 }).map((parts) => Buffer.from(parts.join('')))
    const limits = fc.constantFrom({}, { recordBytesMax: 24, rejectedBytesMax: 8 })
    fc.assert(
      fc.property(bytes, limits, fc.integer({ min: 1, max: 64 }), (input, bounds, size) => {
        const whole = readPieces(input, format, { limits: bounds })
        expect(readPieces(input, format, { size, limits: bounds })).toEqual(whole)
        expect(whole.map(({ number }) => number)).toEqual(whole.map((_, index) => index + 1))
      }),
      { numRuns: propertyRuns(600) },
    )
  })

  it('returns what JSON.parse gives, with the digits of the source', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt(),
      fc.boolean(),
      fc.constant(null),
    )
    const stringify = (cell: unknown) => (typeof cell === 'bigint' ? String(cell) : JSON.stringify(cell))
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value), { maxLength: 8 }), fc.integer({ min: 1, max: 64 }), (rows, size) => {
        const objects = rows.map(([a, b]) => `{"a": ${stringify(a)},"b":${stringify(b)} }`)
        const text = format.layout === 'lines' ? objects.join('\n') : `[${objects.join(',')}]`
        const expected = rows.map((row) =>
          row.map((cell) => (cell === null || typeof cell === 'string' ? cell : stringify(cell))),
        )
        const records = readPieces(Buffer.from(text), format, { size })
        expect(records.map((record) => (record.kind === 'record' ? record.cells : record))).toEqual(expected)
      }),
      { numRuns: propertyRuns(200) },
    )
  })
})
