import { Buffer } from 'node:buffer'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from '@jest/globals'
import { createTestDatabase } from '@millrace/testing'
import pg from 'pg'
import { to } from 'pg-copy-streams'
import {
  copyRowsStatement,
  createBatchWriter,
  createChunkBuilder,
  defineSchema,
  openChunk,
  readBatch,
  readChunkHead,
  readCopyRows,
  segmentsOf,
} from '../src/index.js'
import { codeOf } from './code-of.js'

const schema = defineSchema({ n: { type: 'int' }, text: { type: 'text' } })

describe('chunks in PostgreSQL', () => {
  it('are read by a binary COPY of only the wanted segments', async () => {
    const database = await createTestDatabase()
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await client.query(
        'create table chunk (id bigint primary key, head bytea not null, n bytea not null, text bytea not null, variables bytea)',
      )
      for (const id of [1, 2, 3])
        await client.query('insert into chunk values ($1, $2, $3, $4, $5)', [id, ...chunkValues(id)])
      const statement = copyRowsStatement({ table: 'chunk', key: 'id', columns: ['head', 'n'] }, [3, 1])
      const rows = readCopyRows(await buffer(client.query(to(statement))))
      const numbers = rows.map(([id, head, n]) => {
        expect(segmentsOf(readChunkHead(head as Buffer), ['n'])).toEqual(['n'])
        const chunk = openChunk(schema, head as Buffer, { n: n as Buffer })
        return [Number((id as Buffer).readBigInt64BE()), [...chunk.column('n').values]]
      })
      expect(Object.fromEntries(numbers)).toEqual({ 1: [10, 11], 3: [30, 31] })
      expect(
        readCopyRows(await buffer(client.query(to(copyRowsStatement({ table: 'chunk', key: 'id', columns: [] }, []))))),
      ).toEqual([])
      const nulls = to(copyRowsStatement({ table: 'chunk', key: 'id', columns: ['variables'] }, [2]))
      expect(readCopyRows(await buffer(client.query(nulls)))[0]?.[1]).toBeNull()
    } finally {
      await client.end()
      await database.release()
    }
  })

  it('are refused with COLUMN_CHUNK_CORRUPT when the COPY was cut short or is none', () => {
    const end = Buffer.from([0xff, 0xff])
    const field = Buffer.from([0, 1, 0, 0, 0, 2, 7, 8])
    const whole = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8), field, end])
    expect(readCopyRows(whole)).toEqual([[Buffer.from([7, 8])]])
    for (let length = 0; length < whole.length; length++)
      expect(codeOf(() => readCopyRows(whole.subarray(0, length)))).toBe('COLUMN_CHUNK_CORRUPT')
    const flagged = Buffer.from(whole)
    flagged[11] = 0x80
    expect(codeOf(() => readCopyRows(flagged))).toBe('COLUMN_CHUNK_CORRUPT')
  })

  it.each([
    ['a table with a quote', { table: 'chunk" where 1=1 --', key: 'id', columns: [] }, [1]],
    ['a column with a quote', { table: 'chunk', key: 'id', columns: ['a"b'] }, [1]],
    ['a key that is no integer', { table: 'chunk', key: 'id', columns: [] }, [1.5]],
    ['a key that is a text', { table: 'chunk', key: 'id', columns: [] }, ['1) or (1=1' as unknown as number]],
  ])('cannot be asked for with %s', (_, source, keys) => {
    expect(codeOf(() => copyRowsStatement(source, keys))).toBe('COLUMN_SCHEMA_INVALID')
  })
})

function chunkValues(id: number): (Buffer | null)[] {
  const writer = createBatchWriter(schema)
  for (const n of [0, 1]) writer.appendRow({ n: id * 10 + n, text: 'no digits here' })
  const builder = createChunkBuilder(schema)
  builder.add(readBatch(schema, writer.finish()))
  const [chunk] = builder.finish()
  const bytes = Object.fromEntries(chunk?.segments.map((segment) => [segment.name, segment.bytes]) ?? [])
  return [chunk?.head as Buffer, bytes.n as Buffer, bytes.text as Buffer, null]
}
