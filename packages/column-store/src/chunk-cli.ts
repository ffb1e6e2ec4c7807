import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { readChunkHead } from './chunk/chunk-head.js'
import { openColumnFile } from './chunk/open-column-file.js'
import { CODEC_IDS } from './codecs/codecs.js'
import { rowToJson } from './rows/row-to-json.js'

// Usage: node packages/column-store/dist/chunk-cli.js dump FILE | head FILE

const [command, path, ...more] = process.argv.slice(2)
if ((command !== 'dump' && command !== 'head') || path === undefined || more.length > 0)
  end('usage: npm run chunk -- dump FILE | head FILE')
else await print(command, path).catch((error: Error) => end(`${path}: ${error.message}`))

async function print(task: 'dump' | 'head', file: string): Promise<void> {
  const bytes = await readFile(file)
  const lines = task === 'dump' ? dumpLines(bytes) : [headLine(bytes)]
  await pipeline(Readable.from(lines), process.stdout, { end: false }).catch((error: NodeJS.ErrnoException) => {
    // Whoever reads the output may stop before its end.
    if (error.code !== 'EPIPE') throw error
  })
}

function* dumpLines(bytes: Buffer): Generator<string> {
  const reader = openColumnFile(bytes).decode()
  for (let row = 0; row < reader.rows; row++) yield `${rowToJson(reader, row)}\n`
}

function headLine(bytes: Buffer): string {
  const { rows, columns, segments } = readChunkHead(bytes)
  const codecs = Object.entries(CODEC_IDS)
  const named = segments.map(({ name, codecId, rawBytes, storedBytes }) => ({
    name,
    codec: codecs.find(([, id]) => id === codecId)?.[0] ?? codecId,
    rawBytes,
    storedBytes,
  }))
  return `${JSON.stringify({ rows, columns, segments: named }, undefined, 2)}\n`
}

function end(reason: string): void {
  process.stderr.write(`${reason}\n`)
  process.exitCode = 1
}
