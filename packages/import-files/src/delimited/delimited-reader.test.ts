import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import type { FileRecord, ReaderLimits } from '../records/file-record.js'
import type { DelimitedFormat } from './delimited-format.js'
import { DelimitedReader } from './delimited-reader.js'
import { writeDelimited } from './write-delimited.js'

const CSV: DelimitedFormat = {
  delimiter: ',',
  quote: '"',
  escape: 'double',
  lineEnding: 'lf',
  columns: 3,
  missingCells: 'reject',
  nullText: '',
  skipSpaces: false,
  hasHeader: false,
}

function readPieces(
  pieces: readonly Uint8Array[],
  format: DelimitedFormat,
  limits: Partial<ReaderLimits> = {},
): FileRecord[] {
  const reader = new DelimitedReader({ format, limits })
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
}

const read = (text: string | Buffer, changes: Partial<DelimitedFormat> = {}, limits: Partial<ReaderLimits> = {}) =>
  readPieces([Buffer.from(text)], { ...CSV, ...changes }, limits)

/** Short forms: `line:cells` and `line!code`. */
const brief = (records: readonly FileRecord[]) =>
  records.map((record) =>
    record.kind === 'record' ? `${record.line}:${JSON.stringify(record.cells)}` : `${record.line}!${record.code}`,
  )

function split(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return pieces
}

describe('a reader of delimited text', () => {
  it.each([
    ['tells an absent value from an empty text', 'a,,\n"","",x\n', ['1:["a",null,null]', '2:["","","x"]']],
    [
      'takes LF and CR LF record by record',
      'a,b,c\r\nd,e,f\ng,h,i\r\n',
      ['1:["a","b","c"]', '2:["d","e","f"]', '3:["g","h","i"]'],
    ],
    ['keeps a CR that ends no line', 'a\rb,"c\rd",e\n', ['1:["a\\rb","c\\rd","e"]']],
    ['takes the last record without a line ending', 'a,b,c\nd,e,f', ['1:["a","b","c"]', '2:["d","e","f"]']],
    ['takes a last line that ends with CR', 'a,b,c\r', ['1:["a","b","c"]']],
    [
      'takes quotes inside a cell that does not begin with one as text',
      '5" pipe,b"c"d,e\n',
      ['1:["5\\" pipe","b\\"c\\"d","e"]'],
    ],
    ['takes doubled quotes as one', '"a""b","""","c"""\n', ['1:["a\\"b","\\"","c\\""]']],
    [
      'counts the lines of cells with several lines',
      '"a\nb",c,"d\r\ne"\nf,g,h\n',
      ['1:["a\\nb","c","d\\r\\ne"]', '4:["f","g","h"]'],
    ],
    ['leaves out empty lines', '\na,b,c\n\r\n\nd,e,f\n\n', ['2:["a","b","c"]', '5:["d","e","f"]']],
    ['allows further cells that are empty', 'a,b,c,,\n', ['1:["a","b","c"]']],
    ['rejects a record with cells too many', 'a,b,c,d\ne,f,g\n', ['1!column_count', '2:["e","f","g"]']],
    ['rejects a record with cells too few', 'a,b\ne,f,g\n', ['1!column_count', '2:["e","f","g"]']],
    [
      'loses one line for a quote that is never closed',
      'a,"b,c\nd,e,f\ng,h,i\n',
      ['1!quote_not_closed', '2:["d","e","f"]', '3:["g","h","i"]'],
    ],
    [
      'loses one line for a quote that is closed by the quote of a later record',
      'a,"b,c\nd,e,f\ng,"h",i\nj,k,l\n',
      ['1!text_after_quote', '2:["d","e","f"]', '3:["g","h","i"]', '4:["j","k","l"]'],
    ],
    [
      'loses one line for a quote that is closed where a cell may end',
      'a,"b,c\nd,e,f\ng,h,i"\nj,k,l\n',
      ['1!column_count', '2:["d","e","f"]', '3:["g","h","i\\""]', '4:["j","k","l"]'],
    ],
    ['rejects text after a closing quote', '"a"b,c,d\ne,f,g\n', ['1!text_after_quote', '2:["e","f","g"]']],
    ['goes on after a bad line at the end of the file', 'a,b,c\n"x', ['1:["a","b","c"]', '2!quote_not_closed']],
    ['names the column of a NUL character', 'a,b\0c,d\ne,f,g\n', ['1!nul_character', '2:["e","f","g"]']],
    ['is empty for an empty file', '', []],
  ])('%s', (_title, text, expected) => {
    expect(brief(read(text))).toEqual(expected)
  })

  it('numbers records from 1 without the header, and lines from 1 with it', () => {
    const records = read('x,y,z\na,b,c\nd\n', { hasHeader: true })
    expect(records.map(({ line, number }) => [line, number])).toEqual([
      [2, 1],
      [3, 2],
    ])
    expect(read('x,y,z\n', { hasHeader: true })).toEqual([])
  })

  it('says at which byte and in which column a text is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('a,b,c\nd,ä'), Buffer.from([0x92]), Buffer.from('x,e\n')])
    const [, rejected] = read(bytes)
    expect(rejected).toMatchObject({
      kind: 'rejected',
      code: 'invalid_utf8',
      column: 2,
      offset: 10,
      reason: 'the byte 0x92 is not UTF-8',
    })
  })

  it('reads the dialects that the format names', () => {
    expect(brief(read("a\t'b\tc'\td\n", { delimiter: '\t', quote: "'" }))).toEqual(['1:["a","b\\tc","d"]'])
    expect(brief(read('a;"b\\"c\\\\";C:\\x\n', { delimiter: ';', escape: 'backslash' }))).toEqual([
      '1:["a","b\\"c\\\\","C:\\\\x"]',
    ])
    expect(brief(read('a, "b" ,"c"\n', { skipSpaces: true }))).toEqual(['1:["a","b","c"]'])
    expect(brief(read('a\t"b\t"c\n', { delimiter: '\t', quote: '' }))).toEqual(['1:["a","\\"b","\\"c"]'])
    expect(brief(read('\\N,,"\\N"\n', { nullText: '\\N' }))).toEqual(['1:[null,"","\\\\N"]'])
    expect(brief(read('a,b,c\rd,e,f\r\ng,h,i', { lineEnding: 'cr' }))).toEqual([
      '1:["a","b","c"]',
      '2:["d","e","f"]',
      '3:["g","h","i"]',
    ])
    expect(brief(read('a\nb,c\n', { missingCells: 'null' }))).toEqual(['1:["a",null,null]', '2:["b","c",null]'])
  })

  it('rejects a line beyond the limit as one record, in bounded memory, and goes on after it', () => {
    const reader = new DelimitedReader({ format: CSV, limits: { recordBytesMax: 1000, rejectedBytesMax: 10 } })
    const records = [...reader.push(Buffer.from('a,b,c\n'))]
    for (let piece = 0; piece < 500; piece++) records.push(...reader.push(Buffer.alloc(1000, 'x')))
    records.push(...reader.push(Buffer.from('\nd,e,f\n')), ...reader.end())
    expect(brief(records)).toEqual(['1:["a","b","c"]', '2!record_too_large', '3:["d","e","f"]'])
    expect(records[1]).toMatchObject({ bytes: Buffer.from('xxxxxxxxxx'), isCut: true })
  })

  it('rejects a record with more columns than allowed', () => {
    expect(brief(read(`${'a,'.repeat(200)}b\nc,d,e\n`, {}, { columnsMax: 100 }))).toEqual([
      '1!too_many_columns',
      '2:["c","d","e"]',
    ])
  })

  it('returns what was written, whatever the cells are', () => {
    const dialect = fc.record({
      delimiter: fc.constantFrom(',', ';', '\t', '|'),
      quote: fc.constantFrom('"', "'"),
      escape: fc.constantFrom('double' as const, 'backslash' as const),
      lineEnding: fc.constantFrom('lf' as const, 'cr' as const),
      nullText: fc.constantFrom('', '\\N', 'NULL'),
      skipSpaces: fc.boolean(),
    })
    const cell = fc.option(
      fc.oneof(
        fc.string({ unit: fc.constantFrom('a', ',', ';', '\t', '"', "'", '\\', '\n', '\r', ' ', 'é', '𝒳', 'N') }),
        fc.constantFrom('', 'NULL', '\\N'),
      ),
    )
    const table = fc.array(fc.tuple(cell, cell, cell), { maxLength: 12 })
    fc.assert(
      fc.property(dialect, table, fc.integer({ min: 1, max: 64 }), (changes, rows, size) => {
        const format = { ...CSV, ...changes }
        const bytes = Buffer.from(rows.map((row) => writeDelimited(row, format)).join(''))
        const records = readPieces(split(bytes, size), format)
        expect(records.map((record) => record.kind === 'record' && record.cells)).toEqual(rows)
      }),
      { numRuns: propertyRuns(400) },
    )
  })

  it('returns the same records for every way to split any bytes into pieces', () => {
    const hostile = fc
      .array(
        fc.constantFrom(
          'a',
          'b,c',
          ',',
          '"',
          '""',
          '\n',
          '\r\n',
          '\r',
          ' ',
          'ä',
          '\0',
          'a,b,c\n',
          '"x",y,z\n',
          'xxxxxxxxxxxxxxxx',
        ),
        { maxLength: 60 },
      )
      .map((parts) => Buffer.from(parts.join('')))
    const bytes = fc.oneof(
      hostile,
      fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array)),
    )
    const changes = fc.record({
      lineEnding: fc.constantFrom('lf' as const, 'cr' as const),
      escape: fc.constantFrom('double' as const, 'backslash' as const),
      skipSpaces: fc.boolean(),
    })
    const limits = fc.constantFrom({}, { recordBytesMax: 40, rejectedBytesMax: 12 }, { columnsMax: 4 })
    fc.assert(
      fc.property(bytes, changes, limits, fc.integer({ min: 1, max: 64 }), (input, dialect, bounds, size) => {
        const format = { ...CSV, ...dialect }
        const whole = readPieces([input], format, bounds)
        expect(readPieces(split(input, size), format, bounds)).toEqual(whole)
        expect(whole.map(({ number }) => number)).toEqual(whole.map((_, index) => index + 1))
      }),
      { numRuns: propertyRuns(1_000) },
    )
  })

  it('goes on at a checkpoint as if it had never stopped', () => {
    const text = 'x,y,z\n"a\nb",c,d\n\n1,2\ne,f,g\n"h",i,j\n'
    const whole = read(text, { hasHeader: true })
    const first = new DelimitedReader({ format: { ...CSV, hasHeader: true } })
    const before = first.push(Buffer.from(text.slice(0, 25)))
    const { checkpoint } = first
    const second = new DelimitedReader({ format: { ...CSV, hasHeader: true }, from: checkpoint })
    const after = [...second.push(Buffer.from(text).subarray(checkpoint.offset)), ...second.end()]
    expect(before.length).toBeGreaterThan(0)
    expect([...before, ...after]).toEqual(whole)
  })
})
