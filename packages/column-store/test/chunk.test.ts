import * as zlib from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { proveColumn } from '../src/chunk/prove-column.js'
import { createAppender } from '../src/columns/columns.js'
import {
  type ColumnDefinitions,
  createBatchWriter,
  createChunkBuilder,
  defineSchema,
  openChunk,
  openChunkFile,
  readBatch,
  readChunkHead,
  segmentsOf,
} from '../src/index.js'
import { anyDefinitions, anyRow } from './any-records.js'
import { codeOf } from './code-of.js'

const lines = defineSchema({
  time: { type: 'time' },
  severity: { type: 'int', segment: 'meta' },
  ratio: { type: 'float', segment: 'meta' },
  trace: { type: 'hex', bytes: 16, optional: true },
  host: { type: 'keyword', segment: 'meta' },
  message: { type: 'text' },
  attributes: { type: 'json' },
})

/** Node has zstd from 22.15 on. */
const hasZstd = 'zstdCompressSync' in zlib
const codecsOfThisNode = ['raw', 'deflate', 'lz4', ...(hasZstd ? (['zstd'] as const) : [])] as const

describe('chunk of columns', () => {
  it.each(codecsOfThisNode)('gives back any rows of any schema with the codec %s', (codec) => {
    const schemaWithRows = anyDefinitions().chain((definitions) =>
      fc.tuple(fc.constant(definitions), fc.array(anyRow(definitions), { minLength: 1, maxLength: 60 })),
    )
    fc.assert(
      fc.property(schemaWithRows, ([definitions, rows]) => {
        const schema = defineSchema(definitions as ColumnDefinitions)
        const codecs = Object.fromEntries(
          schema.columns.flatMap(({ name }) => [name, `${name}.variables`]).map((name) => [name, codec]),
        )
        const builder = createChunkBuilder(schema, { codecs })
        const writer = createBatchWriter(schema)
        for (const row of rows) writer.appendRow(row)
        builder.add(readBatch(schema, Buffer.from(writer.finish())))
        const [chunk] = builder.finish()
        const file = Buffer.concat([chunk?.head as Buffer, ...(chunk?.segments.map(({ bytes }) => bytes) ?? [])])
        const decoded = openChunkFile(file).decode()
        expect(rows.map((_, index) => decoded.row(index))).toEqual(rows)
      }),
      { numRuns: 60 },
    )
  })

  it('gives back texts byte for byte: with templates, any bytes, NUL, line ends, numbers of all forms and objects of any form', () => {
    const schema = defineSchema({ text: { type: 'text' }, json: { type: 'json' }, word: { type: 'keyword' } })
    const anyBytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))
    const fromTemplates = fc
      .array(fc.constantFrom('order ', '17', '-007', '\0', '\n', ' at x9f_', 'ü', '9', '.', ' user=u_12'), {
        maxLength: 9,
      })
      .map((parts) => Buffer.from(parts.join('')))
    const objects = fc
      .array(
        fc.constantFrom(
          '{',
          '}',
          '"a":',
          '"b\\"":',
          '1',
          '-0',
          '007',
          '1.50',
          '"x"',
          ',',
          '[1,{"a":2}]',
          ' ',
          '"',
          '\\',
          'null',
          '{"a":1,"b":"2"}',
        ),
        { maxLength: 9 },
      )
      .map((parts) => Buffer.from(parts.join('')))
    const values = fc.tuple(fc.oneof(anyBytes, fromTemplates), fc.oneof(anyBytes, objects), anyBytes)
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 80 }), (rows) => {
        const writer = createBatchWriter(schema)
        for (const [text, json, word] of rows) {
          writer.columns.text.append(text)
          writer.columns.json.append(json)
          writer.columns.word.append(word)
          writer.endRow()
        }
        const builder = createChunkBuilder(schema)
        builder.add(readBatch(schema, Buffer.from(writer.finish())))
        const decoded = openChunkFile(fileOf(builder.finish()[0]))
        for (const [index, [text, json, word]] of rows.entries()) {
          expect([
            viewOf(decoded, 'text', index),
            viewOf(decoded, 'json', index),
            viewOf(decoded, 'word', index),
          ]).toEqual([text, json, word])
        }
      }),
    )
  })

  it('is refused with COLUMN_CHUNK_CORRUPT when it is cut short anywhere or has one flipped bit anywhere', () => {
    const file = exampleFile(8)
    const codes = new Map<string, string>()
    for (let length = 0; length < file.length; length++)
      codes.set(
        codeOf(() => openChunkFile(file.subarray(0, length)).decode()),
        `cut at byte ${length}`,
      )
    for (let bit = 0; bit < file.length * 8; bit++) {
      const flipped = Buffer.from(file)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      codes.set(
        codeOf(() => openChunkFile(flipped).decode()),
        `flipped bit ${bit}`,
      )
    }
    expect([...codes]).toEqual([['COLUMN_CHUNK_CORRUPT', `flipped bit ${file.length * 8 - 1}`]])
  })

  it.each(codecsOfThisNode)(
    'that was changed and has fitting checksums is either refused or decoded to complete rows, with the codec %s',
    (codec) => {
      const chunk = exampleChunk(40, codec)
      const head = readChunkHead(chunk.head)
      const change = fc.record({ at: fc.nat(100_000), value: fc.nat(255) })
      const changes = fc.array(change, { minLength: 1, maxLength: 4 })
      fc.assert(
        fc.property(changes, fc.nat(chunk.segments.length), (list, target) => {
          const parts = [chunk.head, ...chunk.segments.map(({ bytes }) => bytes)].map((bytes) => Buffer.from(bytes))
          const changed = parts[target] as Buffer
          for (const { at, value } of list) changed[at % changed.length] = value
          forgeChecksums(parts, head.segments.length)
          const code = codeOf(() => {
            const decoded = openChunkFile(Buffer.concat(parts)).decode()
            for (let index = 0; index < decoded.rows; index++) decoded.row(index)
          })
          expect(['none', 'COLUMN_CHUNK_CORRUPT', 'COLUMN_CODEC_UNAVAILABLE']).toContain(code)
        }),
        { numRuns: propertyRuns(500) },
      )
    },
  )

  it('cannot be put together from segments of different chunks', () => {
    const [one, other] = [exampleChunk(5), exampleChunk(6)]
    const segments = { ...segmentsByName(one), message: segmentsByName(other).message as Buffer }
    expect(codeOf(() => openChunk(lines, one.head, segments).column('message'))).toBe('COLUMN_CHUNK_CORRUPT')
  })

  it('is read from only the segments of the wanted columns', () => {
    const chunk = exampleChunk(50)
    const head = readChunkHead(chunk.head)
    expect(segmentsOf(head, ['message', 'severity'])).toEqual(['meta', 'message', 'message.variables'])
    const { meta } = segmentsByName(chunk)
    const decoded = openChunk(lines, chunk.head, { meta: meta as Buffer })
    expect(decoded.column('severity').values[3]).toBe(line(3).severity)
    expect(decoded.column('host').value(4)).toBe(line(4).host)
    expect(codeOf(() => decoded.column('message'))).toBe('COLUMN_SEGMENT_MISSING')
  })

  it('says in its head which times and numbers it holds', () => {
    const { columns } = readChunkHead(exampleChunk(50).head)
    expect(columns.find(({ name }) => name === 'time')?.range).toEqual({ min: line(0).time.ms, max: line(49).time.ms })
    expect(columns.find(({ name }) => name === 'severity')?.range).toEqual({ min: 5, max: 17 })
    expect(columns.find(({ name }) => name === 'message')?.range).toBeUndefined()
  })

  it('with zstd is refused with COLUMN_CODEC_UNAVAILABLE by a Node without it, and as corrupt by others when the bytes are no zstd', () => {
    const schema = defineSchema({ text: { type: 'text' } })
    const writer = createBatchWriter(schema)
    writer.appendRow({ text: 'no zstd' })
    const builder = createChunkBuilder(schema, { codecs: { text: 'raw' } })
    builder.add(readBatch(schema, writer.finish()))
    const chunk = builder.finish()[0] as Parts
    const parts = [Buffer.from(chunk.head), ...chunk.segments.map(({ bytes }) => bytes)]
    const head = parts[0] as Buffer
    // The codec lies 13 bytes before the end of the head.
    head[head.length - 13] = 3
    forgeChecksums(parts, 1)
    const code = codeOf(() => openChunkFile(Buffer.concat(parts)).decode())
    expect(code).toBe(hasZstd ? 'COLUMN_CHUNK_CORRUPT' : 'COLUMN_CODEC_UNAVAILABLE')
  })

  it('decodes only as many bytes as its head allows, whatever a compressed segment holds', () => {
    const schema = defineSchema({ text: { type: 'text' } })
    const writer = createBatchWriter(schema)
    writer.appendRow({ text: 'x'.repeat(1_000_000) })
    const builder = createChunkBuilder(schema, { codecs: { text: 'deflate' } })
    builder.add(readBatch(schema, writer.finish()))
    const chunk = builder.finish()[0] as Parts
    const parts = [Buffer.from(chunk.head), ...chunk.segments.map(({ bytes }) => bytes)]
    const head = parts[0] as Buffer
    // The raw length lies 12 bytes before the end of the head.
    head.writeUInt32LE(1000, head.length - 12)
    forgeChecksums(parts, 1)
    expect(codeOf(() => openChunkFile(Buffer.concat(parts)).decode())).toBe('COLUMN_CHUNK_CORRUPT')
  })
})

describe('chunk builder', () => {
  it('sorts rows of many batches by time, keeps the order of equal times, and loses none', () => {
    const time = fc.record({ ms: fc.integer({ min: 0, max: 20 }), subNs: fc.constantFrom(0, 1, 999_999) })
    const far = fc.record({ ms: fc.maxSafeInteger(), subNs: fc.constantFrom(0, 999_999) })
    const schema = defineSchema({ time: { type: 'time' }, n: { type: 'int' } })
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.oneof({ weight: 9, arbitrary: time }, far), { maxLength: 8 }), { maxLength: 8 }),
        (batches) => {
          const builder = createChunkBuilder(schema, { sortBy: 'time', rowsMax: 7 })
          const rows = batches.flat().map((each, n) => ({ time: each, n }))
          let n = 0
          for (const batch of batches) {
            const writer = createBatchWriter(schema)
            for (const each of batch) writer.appendRow({ time: each, n: n++ })
            builder.add(readBatch(schema, writer.finish()))
          }
          const found = builder
            .finish()
            .flatMap((chunk) => rowsOf(openChunk(schema, chunk.head, segmentsByName(chunk))))
          const sorted = rows.toSorted((a, b) => a.time.ms - b.time.ms || a.time.subNs - b.time.subNs || a.n - b.n)
          expect(found).toEqual(sorted)
        },
      ),
    )
  })

  it('makes the same rows of chunks that are merged as of the batches that they came from', () => {
    const small = createChunkBuilder(lines, { sortBy: 'time', rowsMax: 7 })
    for (const rows of [rowsFrom(30, 20), rowsFrom(0, 30)]) small.add(batchOf(rows))
    const chunks = small.finish()
    expect(chunks.length).toBe(Math.ceil(50 / 7))
    const merged = createChunkBuilder(lines, { sortBy: 'time' })
    for (const chunk of chunks) merged.add(openChunk(lines, chunk.head, segmentsByName(chunk)))
    const [whole, ...more] = merged.finish()
    expect(more).toEqual([])
    expect(rowsOf(openChunkFile(fileOf(whole)))).toEqual(rowsFrom(0, 50))
  })

  it('ends a chunk with the row that brings it to the wanted number of different tokens, rows or bytes', () => {
    const batch = batchOf(rowsFrom(0, 200))
    const sizes = (options: object) => {
      const builder = createChunkBuilder(lines, { tokensOf: ['message'], ...options })
      builder.add(batch)
      return builder.finish().map(({ rows, tokens }) => ({ rows, tokens: tokens.length }))
    }
    const byTokens = sizes({ tokensMax: 50 })
    expect(byTokens.reduce((sum, { rows }) => sum + rows, 0)).toBe(200)
    for (const { tokens } of byTokens.slice(0, -1)) expect(tokens >= 50 && tokens < 60).toBe(true)
    expect(sizes({ rowsMax: 64 }).map(({ rows }) => rows)).toEqual([64, 64, 64, 8])
    expect(sizes({ bytesMax: 4000 }).length).toBeGreaterThan(2)
  })

  it('hands out no chunk whose columns do not decode to the values that were collected', () => {
    const textColumn = (value: string) => {
      const schema = defineSchema({ text: { type: 'text' } })
      const writer = createBatchWriter(schema)
      writer.appendRow({ text: value })
      return readBatch(schema, Buffer.from(writer.finish()))
    }
    const collected = createAppender({ name: 'text', type: 'text', optional: false, width: 0, segment: 'text' })
    collected.appendFrom(textColumn('order 17').column('text'), 0)
    expect(codeOf(() => proveColumn(collected, textColumn('order 17').column('text'), 1))).toBe('none')
    expect(codeOf(() => proveColumn(collected, textColumn('order 18').column('text'), 1))).toBe('COLUMN_CHUNK_UNPROVEN')
  })

  it('refuses to sort by a column that is not a time in every row', () => {
    expect(codeOf(() => createChunkBuilder(lines, { sortBy: 'severity' }))).toBe('COLUMN_SCHEMA_INVALID')
  })
})

type Parts = ReturnType<typeof exampleChunk>

function line(n: number) {
  return {
    time: { ms: 1_764_500_000_000 + n * 3, subNs: (n * 7919) % 1_000_000 },
    severity: [5, 9, 13, 17][n % 4] as number,
    ratio: n / 100,
    trace: n % 3 === 0 ? null : Buffer.alloc(16, n).toString('hex'),
    host: `cart-${n % 3}`,
    message: n % 10 === 0 ? `Müller pays ${n} €` : `order ${700_000 + n} placed by u_${n % 5} in ${n} ms`,
    attributes: { user: `u_${n % 5}`, status: 200 + (n % 2), ...(n % 20 === 0 && { rare: [n] }) },
  }
}

function rowsFrom(start: number, count: number) {
  return Array.from({ length: count }, (_, index) => line(start + index))
}

function batchOf(rows: ReturnType<typeof line>[]) {
  const writer = createBatchWriter(lines)
  for (const row of rows) writer.appendRow(row)
  return readBatch(lines, writer.finish())
}

function exampleChunk(rows: number, codec?: (typeof codecsOfThisNode)[number]) {
  const names = ['time', 'meta', 'trace', 'message', 'message.variables', 'attributes']
  const codecs = codec === undefined ? {} : Object.fromEntries(names.map((name) => [name, codec]))
  const builder = createChunkBuilder(lines, { sortBy: 'time', codecs })
  builder.add(batchOf(rowsFrom(0, rows)))
  const [chunk] = builder.finish()
  if (chunk === undefined) throw new Error('there is no chunk')
  return chunk
}

function exampleFile(rows: number): Buffer {
  return fileOf(exampleChunk(rows))
}

function fileOf(chunk: Pick<Parts, 'head' | 'segments'> | undefined): Buffer {
  if (chunk === undefined) throw new Error('there is no chunk')
  return Buffer.concat([chunk.head, ...chunk.segments.map(({ bytes }) => bytes)])
}

function segmentsByName({ segments }: Pick<Parts, 'segments'>): Record<string, Buffer> {
  return Object.fromEntries(segments.map(({ name, bytes }) => [name, bytes]))
}

function rowsOf(reader: { readonly rows: number; row(index: number): unknown }): unknown[] {
  return Array.from({ length: reader.rows }, (_, index) => reader.row(index))
}

function viewOf(reader: ReturnType<typeof openChunkFile>, name: string, row: number): Buffer | null {
  const column = reader.column(name)
  return 'view' in column ? column.view(row) : null
}

/** Makes all checksums fit again after bytes were changed. A segment's entry ends the head with its lengths and its checksum. */
function forgeChecksums(parts: readonly Buffer[], count: number): void {
  const [head, ...segments] = parts as [Buffer, ...Buffer[]]
  let end = head.length
  for (let index = count - 1; index >= 0; index--) {
    const bytes = segments[index] as Buffer
    if (end >= 4) head.writeUInt32LE(zlib.crc32(bytes), end - 4)
    end -= 14 + nameLength(head, end)
  }
  head.writeUInt32LE(zlib.crc32(head.subarray(20), zlib.crc32(head.subarray(0, 16))), 16)
}

/** The length of the name of the segment whose entry ends at `end`: the entry is one byte, the name, and 13 bytes. */
function nameLength(head: Buffer, end: number): number {
  for (let length = 1; length < 64; length++) if (head[end - 13 - length - 1] === length) return length
  return 0
}
