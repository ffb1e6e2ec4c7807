import { crc32 } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type ColumnDefinitions, createBatchWriter, defineSchema, readBatch } from '../src/index.js'
import { anyDefinitions, anyRow } from './any-records.js'
import { codeOf } from './code-of.js'

const everyType = defineSchema({
  time: { type: 'time' },
  count: { type: 'int' },
  ratio: { type: 'float' },
  done: { type: 'bool' },
  trace: { type: 'hex', bytes: 16, optional: true },
  request: { type: 'uuid', optional: true },
  host: { type: 'keyword' },
  message: { type: 'text' },
  attributes: { type: 'json', optional: true },
})
const row = {
  time: { ms: 1_764_500_000_123, subNs: 456_789 },
  count: 7,
  ratio: 0.1,
  done: true,
  trace: '4bf92f3577b34da6a3ce929d0e0e4736',
  request: '0b0f3c1e-8a7d-4e2b-a1c3-5d6e7f809102',
  host: 'cart-1',
  message: 'order 17 placed',
  attributes: { user: 'u_1', 'http.status': 200, nested: { list: [1, null] } },
}

describe('batch of columns', () => {
  it('gives back any rows of any schema, each value equal', () => {
    const schemaWithRows = anyDefinitions().chain((definitions) =>
      fc.tuple(fc.constant(definitions), fc.array(anyRow(definitions), { maxLength: 40 })),
    )
    fc.assert(
      fc.property(schemaWithRows, ([definitions, rows]) => {
        const schema = defineSchema(definitions as ColumnDefinitions)
        const writer = createBatchWriter(schema)
        for (const each of rows) writer.appendRow(each)
        const batch = readBatch(schema, writer.finish()).decode()
        expect(batch.rows).toBe(rows.length)
        expect(rows.map((_, index) => batch.row(index))).toEqual(rows)
      }),
    )
  })

  it('gives back text, keywords and JSON byte for byte, also bytes that are not valid UTF-8', () => {
    const schema = defineSchema({ text: { type: 'text' }, word: { type: 'keyword' }, json: { type: 'json' } })
    const writer = createBatchWriter(schema)
    fc.assert(
      fc.property(fc.array(fc.tuple(anyBytes(), anyBytes(), anyBytes())), (values) => {
        for (const [text, word, json] of values) {
          writer.columns.text.append(text)
          writer.columns.word.append(word)
          writer.columns.json.append(json)
          writer.endRow()
        }
        const batch = readBatch(schema, Buffer.from(writer.finish()))
        for (const [index, [text, word, json]] of values.entries()) {
          expect(batch.column('text').view(index)).toEqual(Buffer.from(text))
          expect(batch.column('word').view(index)).toEqual(Buffer.from(word))
          expect(batch.column('json').view(index)).toEqual(Buffer.from(json))
        }
      }),
    )
  })

  it('is the same whether values come as strings or as bytes', () => {
    const byBytes = createBatchWriter(everyType)
    const { columns } = byBytes
    columns.time.append(row.time.ms, row.time.subNs)
    columns.count.append(row.count)
    columns.ratio.append(row.ratio)
    columns.done.append(row.done)
    columns.trace.append(Buffer.from(row.trace))
    columns.request.append(Buffer.from(row.request))
    columns.host.append(Buffer.from(`xx${row.host}yy`), 2, 2 + row.host.length)
    columns.message.append(Buffer.from(row.message))
    columns.attributes.append(Buffer.from(JSON.stringify(row.attributes)))
    byBytes.endRow()
    const byStrings = createBatchWriter(everyType)
    byStrings.appendRow(row)
    expect(byBytes.finish()).toEqual(byStrings.finish())
  })

  it('is refused with COLUMN_BATCH_CORRUPT when it is cut short anywhere or has one flipped bit anywhere', () => {
    const bytes = exampleBatch()
    for (let length = 0; length < bytes.length; length++)
      expect(codeOf(() => readBatch(everyType, bytes.subarray(0, length)))).toBe('COLUMN_BATCH_CORRUPT')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(codeOf(() => readBatch(everyType, flipped))).toBe('COLUMN_BATCH_CORRUPT')
    }
  })

  it('that was changed and has a fitting checksum is either refused or decoded to complete rows', () => {
    const bytes = exampleBatch()
    const change = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255) })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = Buffer.from(bytes)
        for (const { at, value } of changes) changed[at] = value
        changed.writeUInt32LE(crc32(changed.subarray(20), crc32(changed.subarray(0, 16))), 16)
        const code = codeOf(() => {
          const batch = readBatch(everyType, changed).decode()
          for (let index = 0; index < batch.rows; index++) Object.values(batch.row(index))
        })
        expect(['none', 'COLUMN_BATCH_CORRUPT', 'COLUMN_SCHEMA_MISMATCH']).toContain(code)
      }),
      { numRuns: 2000 },
    )
  })

  it('holds null in columns that the schema has gained, if they are optional', () => {
    const older = createBatchWriter(defineSchema({ message: { type: 'text' } }))
    older.appendRow({ message: 'hello' })
    const bytes = Buffer.from(older.finish())
    const newer = defineSchema({ host: { type: 'keyword', optional: true }, message: { type: 'text' } })
    expect(readBatch(newer, bytes).row(0)).toEqual({ host: null, message: 'hello' })
    const stricter = defineSchema({ host: { type: 'keyword' }, message: { type: 'text' } })
    expect(codeOf(() => readBatch(stricter, bytes))).toBe('COLUMN_SCHEMA_MISMATCH')
  })

  it('with a column that the schema has not, or has with another type, is refused with COLUMN_SCHEMA_MISMATCH', () => {
    const bytes = exampleBatch()
    expect(codeOf(() => readBatch(defineSchema({ time: { type: 'time' } }), bytes))).toBe('COLUMN_SCHEMA_MISMATCH')
    const { definitions } = everyType
    const other = defineSchema({ ...definitions, count: { type: 'float' } })
    expect(codeOf(() => readBatch(other, bytes))).toBe('COLUMN_SCHEMA_MISMATCH')
  })
})

describe('batch writer', () => {
  it('refuses a value that does not fit its column, drops the row and keeps the rows around it', () => {
    const bad = [
      { ...row, time: { ms: 0.5, subNs: 0 } },
      { ...row, time: { ms: 0, subNs: 1_000_000 } },
      { ...row, count: 2 ** 53 },
      { ...row, trace: '4BF92F3577B34DA6A3CE929D0E0E4736' },
      { ...row, trace: 'abc' },
      { ...row, request: '0b0f3c1e08a7d04e2b0a1c305d6e7f809102' },
      { ...row, attributes: { big: 1n } },
      { ...row, host: undefined as unknown as string },
    ]
    const writer = createBatchWriter(everyType)
    for (const each of bad) {
      writer.appendRow(row)
      expect(codeOf(() => writer.appendRow(each))).toBe('COLUMN_VALUE_INVALID')
    }
    const batch = readBatch(everyType, writer.finish())
    expect(batch.rows).toBe(bad.length)
    for (let index = 0; index < batch.rows; index++) expect(batch.row(index)).toEqual(row)
  })

  it('leaves nothing of a dropped row in the batch', () => {
    const writer = createBatchWriter(everyType)
    writer.appendRow(row)
    writer.columns.message.appendString('a secret message')
    writer.columns.host.appendString('a secret host')
    writer.columns.attributes.appendString('"a secret attribute"')
    writer.dropRow()
    writer.appendRow(row)
    const bytes = writer.finish()
    expect(bytes.includes('secret')).toBe(false)
    expect(readBatch(everyType, bytes).row(1)).toEqual(row)
  })

  it('refuses a row with two values in one column', () => {
    const writer = createBatchWriter(defineSchema({ n: { type: 'int' }, word: { type: 'keyword' } }))
    writer.columns.n.append(1)
    writer.columns.n.append(2)
    writer.columns.word.appendString('x')
    expect(codeOf(() => writer.endRow())).toBe('COLUMN_VALUE_INVALID')
    expect(writer.rows).toBe(0)
  })

  it('replaces texts, keywords and JSON in place before the batch is finished', () => {
    const writer = createBatchWriter(everyType)
    for (let index = 0; index < 3; index++)
      writer.appendRow({ ...row, message: `password ${index}`, host: 'secret-host' })
    const mask = (bytes: Buffer, start: number, end: number) =>
      /password 1|secret/.test(bytes.toString('latin1', start, end)) ? Buffer.from('[masked]') : undefined
    expect(writer.columns.message.replace(mask)).toBe(1)
    expect(writer.columns.host.replace(mask)).toBe(1)
    expect(writer.columns.attributes.replace(mask)).toBe(0)
    writer.appendRow({ ...row, host: '[masked]' })
    const batch = readBatch(everyType, writer.finish())
    const messages = [0, 1, 2, 3].map((index) => batch.row(index).message)
    expect(messages).toEqual(['password 0', '[masked]', 'password 2', row.message])
    expect([0, 1, 2, 3].map((index) => batch.row(index).host)).toEqual(Array(4).fill('[masked]'))
  })

  it('keeps a keyword of many rows once, also when its hash collides with those of others', () => {
    const schema = defineSchema({ word: { type: 'keyword' } })
    const writer = createBatchWriter(schema)
    const words = Array.from({ length: 5000 }, (_, index) => `word-${index % 1000}`)
    for (const word of words) writer.appendRow({ word })
    const column = readBatch(schema, writer.finish()).column('word')
    expect(words.map((_, index) => column.value(index))).toEqual(words)
    expect(column.dictionary.ends.length).toBeLessThan(1100)
  })
})

describe('schema', () => {
  it.each<[string, ColumnDefinitions]>([
    ['no column', {}],
    ['a name that begins with a digit', { '1st': { type: 'int' } }],
    ['ids of no bytes', { id: { type: 'hex', bytes: 0 } }],
    ['ids of too many bytes', { id: { type: 'hex', bytes: 65 } }],
    ['an unknown type', { id: { type: 'jsonb' as 'json' } }],
  ])('is refused with COLUMN_SCHEMA_INVALID when it has %s', (_, definitions) => {
    expect(codeOf(() => defineSchema(definitions))).toBe('COLUMN_SCHEMA_INVALID')
  })
})

function exampleBatch(): Buffer {
  const writer = createBatchWriter(everyType)
  writer.appendRow(row)
  writer.appendRow({ ...row, trace: null, message: 'x'.repeat(300), host: 'cart-2', count: 70_000 })
  writer.appendRow({ ...row, request: null, attributes: null })
  return Buffer.from(writer.finish())
}

function anyBytes() {
  return fc.uint8Array({ maxLength: 300 })
}
