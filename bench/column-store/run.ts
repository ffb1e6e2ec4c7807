// npm run bench -- column-store [--lines N] [--seed N]: bytes and time a record for batches and chunks; see README.md beside this file.
import { parseArgs } from 'node:util'
import { deflateSync } from 'node:zlib'
import {
  blocksFor,
  createBatchWriter,
  createChunkBuilder,
  createFilter,
  createWordMatcher,
  defineSchema,
  openChunk,
  readBatch,
} from '@millrace/column-store'
import { attributesOf, createLogCorpus, type LogLine, toNdjson } from '../lib/log-corpus.js'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'

const LINES_A_BATCH = 500
/** Each stage runs this often; the fastest run counts, since only that one is hardly disturbed by other work. */
const RUNS = 7
const LEVELS: Readonly<Record<string, number>> = { debug: 5, info: 9, warn: 13, error: 17, fatal: 21 }

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '131072' },
    seed: { type: 'string', default: '42' },
    seconds: { type: 'string' },
  },
})
const schema = defineSchema({
  time: { type: 'time' },
  severity: { type: 'int', segment: 'meta' },
  trace: { type: 'hex', bytes: 16, optional: true },
  span: { type: 'hex', bytes: 8, optional: true },
  host: { type: 'keyword', segment: 'meta' },
  message: { type: 'text' },
  attributes: { type: 'json' },
})
/** As a store would choose them: what every search reads is fast, ids do not compress. */
const CODECS = { message: 'lz4', trace: 'raw', span: 'raw', time: 'raw' } as const

let smallChunks: Chunk[] | undefined
const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const corpus = createLogCorpus(Number(values.seed))
const lines = Array.from({ length: Number(values.lines) }, () => corpus.next())
const ndjson = lines.map(toNdjson)
const services = new Map<string, LogLine[]>()
for (const line of lines) {
  const ofService = services.get(line.service)
  if (ofService === undefined) services.set(line.service, [line])
  else ofService.push(line)
}

const written = fastest(() => [...services.values()].flatMap(writeBatches))
const opened = written.result.map((bytes) => readBatch(schema, bytes))
const build = (provenShare: number) => () => chunksOf(provenShare)
const built = fastest(build(0))
const proven = fastest(build(1))
const decoded = fastest(() => built.result.map((chunk) => open(chunk).decode()))
const merged = fastest(() => mergeOf())
const searched = fastest(() => countWord('shipment'))
const searchedDigits = fastest(() => countWord('u_100000'))
const filters = built.result.map(({ tokens }) => createFilter(tokens, blocksFor(tokens.length)))
const parsed = fastest(() => ndjson.map((text) => JSON.parse(text) as unknown))
const objects = parsed.result
const stringified = fastest(() => objects.map((object) => JSON.stringify(object)))
const deflated = fastest(() => deflateInParts())

const rows = [
  row('batches, from strings', { ...written, bytes: sum(written.result) }),
  row('chunks, built from batches', { ...built, bytes: bytesOf(built.result) }),
  row('chunks, built and proved', { ...proven, bytes: bytesOf(proven.result) }),
  row('chunks, decoded', decoded),
  row('chunks, merged from chunks of 2,048', { ...merged, bytes: bytesOf(merged.result) }),
  row('word without digits, all chunks', searched),
  row('word with digits, all chunks', searchedDigits),
  row('token filters', { us: undefined, bytes: sum(filters) }),
  row('JSON.parse of NDJSON', { ...parsed, bytes: sum(ndjson.map((text) => Buffer.from(text))) }),
  row('JSON.stringify', stringified),
  row('deflate level 1 of NDJSON, 8,192 lines at once', { ...deflated, bytes: sum(deflated.result) }),
]
printTable(rows)
say(
  `${built.result.length} chunks of ${round(lines.length / built.result.length)} lines; hits: ${searched.result}, ${searchedDigits.result}`,
)
const expected = [countLines('shipment'), countLines('u_100000')]
if (searched.result !== expected[0] || searchedDigits.result !== expected[1])
  throw new Error(`the search finds other lines than a look at each line, which are ${expected.join(' and ')}`)
printTable(segmentRows())
const chunkBytes = bytesOf(built.result) / lines.length
writeResult('column-store', {
  machine,
  rows,
  result: {
    lines: lines.length,
    batch_write_us: round(written.us, 3),
    build_us: round(built.us, 3),
    build_proved_us: round(proven.us, 3),
    decode_us: round(decoded.us, 3),
    merge_us: round(merged.us, 3),
    chunk_bytes_per_line: round(chunkBytes, 2),
    filter_bytes_per_line: round(sum(filters) / lines.length, 2),
    build_ratio_to_json_parse: round(built.us / parsed.us, 3),
    decode_ratio_to_json_parse: round(decoded.us / parsed.us, 3),
    bytes_ratio_to_deflate_1: round(chunkBytes / (sum(deflated.result) / lines.length), 3),
  },
})

function writeBatches(ofService: readonly LogLine[]): Buffer[] {
  const writer = createBatchWriter(schema)
  const { time, severity, trace, span, host, message, attributes } = writer.columns
  const batches: Buffer[] = []
  for (const line of ofService) {
    time.append(line.timeMs, line.subNs)
    severity.append(LEVELS[line.level] ?? 0)
    if (line.traceId !== '') trace.appendString(line.traceId)
    if (line.spanId !== '') span.appendString(line.spanId)
    host.appendString(line.host)
    message.appendString(line.message)
    attributes.appendString(attributesOf(line))
    writer.endRow()
    if (writer.rows === LINES_A_BATCH) batches.push(Buffer.from(writer.finish()))
  }
  if (writer.rows > 0) batches.push(Buffer.from(writer.finish()))
  return batches
}

function chunksOf(provenShare: number, rowsMax = 8192) {
  const builder = createChunkBuilder(schema, {
    sortBy: 'time',
    tokensOf: ['message', 'trace'],
    codecs: CODECS,
    provenShare,
    rowsMax,
  })
  const chunks: ReturnType<typeof builder.finish> = []
  let start = 0
  for (const ofService of services.values()) {
    const end = start + Math.ceil(ofService.length / LINES_A_BATCH)
    for (const batch of opened.slice(start, end)) builder.add(batch)
    start = end
    chunks.push(...builder.finish())
  }
  return chunks
}

type Chunk = ReturnType<typeof chunksOf>[number]

function open({ head, segments }: Chunk) {
  return openChunk(schema, head, Object.fromEntries(segments.map(({ name, bytes }) => [name, bytes])))
}

/** Of chunks with at most 2,048 lines, those of one service at a time. */
function mergeOf(): Chunk[] {
  smallChunks ??= chunksOf(0, 2048)
  const builder = createChunkBuilder(schema, {
    sortBy: 'time',
    tokensOf: ['message', 'trace'],
    codecs: CODECS,
    provenShare: 0,
  })
  let next = 0
  return [...services.values()].flatMap(({ length }) => {
    for (let rows = 0; rows < length; next++) {
      const chunk = smallChunks?.[next] as Chunk
      builder.add(open(chunk))
      rows += chunk.rows
    }
    return builder.finish()
  })
}

function countWord(word: string): number {
  const matcher = createWordMatcher(word)
  let count = 0
  for (const chunk of built.result) for (const found of matcher.rows(open(chunk).column('message'))) count += found
  return count
}

function countLines(word: string): number {
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}\\p{M}_])${word}(?![\\p{L}\\p{N}\\p{M}_])`, 'iu')
  return lines.filter(({ message }) => pattern.test(message)).length
}

function deflateInParts(): Buffer[] {
  const parts: Buffer[] = []
  for (let start = 0; start < ndjson.length; start += 8192)
    parts.push(deflateSync(ndjson.slice(start, start + 8192).join('\n'), { level: 1 }))
  return parts
}

/** Processor time in microseconds a line, with the result of the last run. */
function fastest<T>(work: () => T): { us: number; result: T } {
  let best = Number.POSITIVE_INFINITY
  let result = work()
  for (let run = 0; run < RUNS; run++) {
    const start = process.cpuUsage()
    result = work()
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, (user + system) / lines.length)
  }
  return { us: best, result }
}

function row(what: string, { us, bytes }: { us: number | undefined; bytes?: number }) {
  return {
    what,
    'us a line': round(us, 3),
    'B a line': bytes === undefined ? undefined : round(bytes / lines.length, 2),
  }
}

function bytesOf(chunks: readonly Chunk[]): number {
  return sum(chunks.flatMap(({ head, segments }) => [head, ...segments.map(({ bytes }) => bytes)]))
}

function segmentRows() {
  const names = new Set(built.result.flatMap(({ segments }) => segments.map(({ name }) => name)))
  const ofSegment = (name: string) =>
    sum(built.result.flatMap(({ segments }) => segments.filter((each) => each.name === name).map(({ bytes }) => bytes)))
  return [...names, 'head'].map((segment) => ({
    segment,
    'B a line': round(
      (segment === 'head' ? sum(built.result.map(({ head }) => head)) : ofSegment(segment)) / lines.length,
      2,
    ),
  }))
}

function sum(parts: readonly Uint8Array[]): number {
  return parts.reduce((total, { length }) => total + length, 0)
}
