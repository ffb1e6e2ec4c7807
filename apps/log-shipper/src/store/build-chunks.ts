import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { DAY_MS } from '@millrace/contracts'
import { decodeBatch, encodeChunk, type LogLine, openChunkBatch } from '../batch/log-batch.js'
import { compareLines } from '../batch/log-place.js'
import { levelIndex } from '../records/severity.js'
import type { TailBatch } from '../tail/memory-tail.js'

/** A row of log_chunks. */
export interface Chunk {
  readonly tenantId: number
  /** Start of the UTC day of its partition, ms since 1970. */
  readonly dayMs: number
  readonly firstMs: number
  readonly lastMs: number
  readonly lines: number
  /** A bit for each level that occurs, by `levelIndex`. */
  readonly levels: number
  readonly services: readonly string[]
  readonly data: Buffer
}

/** A service with at least this many lines in a window gets chunks of its own. */
const OWN_CHUNKS_LINES = 2048
const CHUNK_LINES_MAX = 8192
/** Characters of messages and attributes. */
const CHUNK_LENGTH_MAX = 4 * 1024 * 1024
/** Codec ids of `data`, its first byte. */
const CODEC_DEFLATE = 1
const DATA_BYTES_MAX = 256 * 1024 * 1024

/** Which day partition lines of a time go to. */
export interface DayRule {
  /** Lines older than this, measured from receipt, are stored on the day of their receipt, so that they are kept as long as new ones. */
  readonly retentionMs: number
}

/** Builds the chunks of a window, one after the other: by tenant and day, large services apart, each sorted by time. */
export function* buildChunks(batches: readonly TailBatch[], rule: DayRule): Generator<Chunk> {
  for (const tenantBatches of groupBy(batches, ({ tenantId }) => tenantId).values()) {
    const byService = groupBy(tenantBatches, ({ service }) => service)
    const small: TailBatch[] = []
    for (const ofService of byService.values()) {
      const lines = ofService.reduce((sum, batch) => sum + batch.lines, 0)
      if (lines >= OWN_CHUNKS_LINES) yield* chunksOf(ofService, rule)
      else small.push(...ofService)
    }
    if (small.length > 0) yield* chunksOf(small, rule)
  }
}

function* chunksOf(batches: readonly TailBatch[], { retentionMs }: DayRule): Generator<Chunk> {
  const byDay = new Map<number, LogLine[]>()
  for (const batch of batches) {
    for (const line of decodeBatch(batch.bytes, batch)) {
      const isKept = line.timeMs > batch.receivedAtMs - retentionMs
      const day = Math.floor((isKept ? line.timeMs : batch.receivedAtMs) / DAY_MS)
      const same = byDay.get(day)
      if (same === undefined) byDay.set(day, [line])
      else same.push(line)
    }
  }
  const [first] = batches
  if (first === undefined) return
  for (const [day, lines] of byDay) {
    lines.sort(compareLines)
    for (const piece of cut(lines)) yield toChunk(piece, first.tenantId, day * DAY_MS)
  }
}

function* cut(lines: readonly LogLine[]): Generator<readonly LogLine[]> {
  let start = 0
  let length = 0
  for (const [index, { message, attributesJson }] of lines.entries()) {
    length += message.length + attributesJson.length
    if (length < CHUNK_LENGTH_MAX && index + 1 - start < CHUNK_LINES_MAX) continue
    yield lines.slice(start, index + 1)
    start = index + 1
    length = 0
  }
  if (start < lines.length) yield lines.slice(start)
}

function toChunk(lines: readonly LogLine[], tenantId: number, dayMs: number): Chunk {
  let levels = 0
  const services = new Set<string>()
  for (const { severity, service } of lines) {
    levels |= 1 << levelIndex(severity)
    services.add(service)
  }
  const data = Buffer.concat([Buffer.of(CODEC_DEFLATE), deflateRawSync(encodeChunk(lines), { level: 1 })])
  const firstMs = lines[0]?.timeMs ?? 0
  const lastMs = lines.at(-1)?.timeMs ?? 0
  return { tenantId, dayMs, firstMs, lastMs, lines: lines.length, levels, services: [...services], data }
}

/** Opens the data of a chunk. @throws when the bytes are not whole and unchanged */
export function openStoredChunk(data: Buffer): ReturnType<typeof openChunkBatch> {
  if (data[0] !== CODEC_DEFLATE) throw new RangeError(`the chunk has the unknown codec ${data[0]}`)
  return openChunkBatch(inflateRawSync(data.subarray(1), { maxOutputLength: DATA_BYTES_MAX }))
}

function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
