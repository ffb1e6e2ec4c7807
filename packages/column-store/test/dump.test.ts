import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createBatchWriter, createChunkBuilder, defineSchema, readBatch } from '../src/index.js'

const schema = defineSchema({
  time: { type: 'time' },
  ratio: { type: 'float' },
  trace: { type: 'hex', bytes: 2, optional: true },
  host: { type: 'keyword' },
  text: { type: 'text' },
  json: { type: 'json' },
})
const REPOSITORY = new URL('../../..', import.meta.url).pathname
const lines = [
  '{"time":"2026-11-30T11:00:00.123456789Z","ratio":0.5,"trace":"00ff","host":"cart-1","text":"order 17","json":{"id": 9007199254740993}}',
  '{"time":"1969-12-31T23:59:59.999000001Z","ratio":{"$number":"NaN"},"host":"ü","text":{"$base64":"/w=="},"json":{"$text":"{"}}',
]

describe('npm run chunk', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-chunk-'))
    const batch = exampleBatch()
    writeFileSync(join(folder, 'batch'), batch)
    const builder = createChunkBuilder(schema)
    builder.add(readBatch(schema, batch))
    const [chunk] = builder.finish()
    const file = Buffer.concat([chunk?.head as Buffer, ...(chunk?.segments.map(({ bytes }) => bytes) ?? [])])
    writeFileSync(join(folder, 'chunk'), file)
    writeFileSync(join(folder, 'broken'), file.subarray(0, -1))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each(['batch', 'chunk'])('dump prints each row of a %s as a line of JSON that loses nothing', (file) => {
    const { stdout, stderr, status } = run('dump', join(folder, file))
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    expect(stdout.trimEnd().split('\n')).toEqual(lines)
  })

  it('head prints rows, columns and segments of a chunk', () => {
    const head = JSON.parse(run('head', join(folder, 'chunk')).stdout)
    expect(head.rows).toBe(2)
    expect(head.columns.map(({ name }: { name: string }) => name)).toEqual(schema.columns.map(({ name }) => name))
    expect(head.segments.length).toBeGreaterThanOrEqual(schema.columns.length)
  })

  it.each([
    [
      'a file that is cut short',
      'dump',
      'broken',
      /COLUMN_CHUNK_CORRUPT|the file has \d+ bytes where its head says \d+/,
    ],
    ['a file that does not exist', 'dump', 'nothing', /no such file/],
    ['an unknown command', 'undump', 'chunk', /usage: npm run chunk/],
  ])('says what is wrong with %s and ends with exit code 1', (_, command, file, reason) => {
    const { stderr, status } = run(command, join(folder, file))
    expect(stderr).toMatch(reason)
    expect(status).toBe(1)
  })
})

function run(...args: string[]) {
  return spawnSync(process.execPath, [join(REPOSITORY, 'packages/column-store/dist/chunk-cli.js'), ...args], {
    encoding: 'utf8',
  })
}

function exampleBatch(): Buffer {
  const writer = createBatchWriter(schema)
  const { time, ratio, trace, host, text, json } = writer.columns
  time.append(Date.UTC(2026, 10, 30, 11) + 123, 456_789)
  ratio.append(0.5)
  trace.appendString('00ff')
  host.appendString('cart-1')
  text.appendString('order 17')
  json.appendString('{"id": 9007199254740993}')
  writer.endRow()
  time.append(-1, 1)
  ratio.append(Number.NaN)
  host.appendString('ü')
  text.append(Buffer.of(0xff))
  json.appendString('{')
  writer.endRow()
  return Buffer.from(writer.finish())
}
