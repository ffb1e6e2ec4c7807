import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import type { FileRecord } from '../records/file-record.js'
import { detectCompression } from './decompress.js'
import { type RecordFormat, readRecords } from './read-records.js'

const CSV: RecordFormat = {
  layout: 'delimited',
  delimiter: ',',
  quote: '"',
  escape: 'double',
  lineEnding: 'lf',
  columns: 2,
  missingCells: 'reject',
  nullText: '',
  skipSpaces: false,
  hasHeader: true,
}
const ROWS = 5000
const text = `id,name\n${Array.from({ length: ROWS }, (_, index) => `${index},"name ü\n${index}"\n`).join('')}`

type Options = Partial<Parameters<typeof readRecords>[0]>

async function readAll(bytes: Buffer, options: Options = {}): Promise<FileRecord[]> {
  const records: FileRecord[] = []
  const file = {
    source: sourceOf(bytes),
    compression: detectCompression(bytes),
    encoding: 'utf-8' as const,
    format: CSV,
    ...options,
  }
  for await (const block of readRecords(file)) records.push(...block.records)
  return records
}

const sourceOf = (bytes: Buffer) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / 997) }, (_, index) => bytes.subarray(index * 997, (index + 1) * 997)),
  )

describe('the records of a file', () => {
  it.each([
    ['plain', Buffer.from(text), 'utf-8'],
    ['compressed by gzip', gzipSync(text), 'utf-8'],
    ['in two members of gzip', Buffer.concat([gzipSync(text.slice(0, 9999)), gzipSync(text.slice(9999))]), 'utf-8'],
    ['in UTF-16', Buffer.from(`\u{feff}${text}`, 'utf16le'), 'utf-16le'],
    ['in Latin-1', Buffer.from(text, 'latin1'), 'iso-8859-1'],
  ] as const)('are the same when it is %s', async (_title, bytes, encoding) => {
    const records = await readAll(bytes, { encoding })
    expect(records).toHaveLength(ROWS)
    expect(records.at(-1)).toMatchObject({
      kind: 'record',
      line: 2 * ROWS,
      number: ROWS,
      cells: [`${ROWS - 1}`, `name ü\n${ROWS - 1}`],
    })
  })

  it.each(['plain', 'gzip'])('go on at every checkpoint of a %s file as if they had never stopped', async (kind) => {
    const bytes = kind === 'gzip' ? gzipSync(text) : Buffer.from(text)
    const whole = await readAll(bytes)
    let before = 0
    let tried = 0
    const rests: [FileRecord[], FileRecord[]][] = []
    const file = {
      source: sourceOf(bytes),
      compression: detectCompression(bytes),
      encoding: 'utf-8' as const,
      format: CSV,
    }
    for await (const { records, checkpoint } of readRecords(file)) {
      before += records.length
      if (tried++ % 3 === 0) rests.push([await readAll(bytes, { from: checkpoint }), whole.slice(before)])
    }
    expect(rests.length).toBeGreaterThan(0)
    for (const [rest, expected] of rests) expect(rest).toEqual(expected)
  })

  it('are returned up to the place where a gzip file is cut, and then there is an error', async () => {
    const bytes = gzipSync(text)
    const records: FileRecord[] = []
    const read = async () => {
      const file = {
        source: sourceOf(bytes.subarray(0, bytes.length - 2000)),
        compression: 'gzip' as const,
        encoding: 'utf-8' as const,
        format: CSV,
      }
      for await (const block of readRecords(file)) records.push(...block.records)
    }
    await expect(read()).rejects.toMatchObject({
      code: 'IMPORT_FILE_UNREADABLE',
      message: expect.stringContaining('not valid gzip'),
    })
    expect(records.length).toBeGreaterThan(0)
    expect(records.length).toBeLessThan(ROWS)
  })

  it('end with an error when the content is larger than allowed, however small the file is', async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000, 'x,y\n'))
    await expect(readAll(bomb, { textBytesMax: 1_000_000 })).rejects.toMatchObject({ code: 'IMPORT_FILE_UNREADABLE' })
  })

  it('pass on an error of the source as it is', async () => {
    const failure = new Error('the object store does not answer')
    const source = new Readable({ read: () => source.destroy(failure) })
    await expect(readAll(Buffer.alloc(0), { source })).rejects.toBe(failure)
  })

  it('are not taken from a file that is shorter than the place to go on', async () => {
    await expect(readAll(Buffer.from('a,b\n'), { from: { offset: 100, lines: 5, records: 5 } })).rejects.toMatchObject({
      code: 'IMPORT_FILE_UNREADABLE',
    })
  })

  it('stop the source when the caller stops', async () => {
    const source = sourceOf(Buffer.from(text))
    for await (const block of readRecords({ source, compression: 'none', encoding: 'utf-8', format: CSV })) {
      expect(block.records.length).toBeGreaterThan(0)
      break
    }
    expect(source.destroyed).toBe(true)
  })
})
