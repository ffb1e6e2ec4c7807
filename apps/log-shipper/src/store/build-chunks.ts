import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { type Chunk, columnStoreErrors, createChunkBuilder, extendRows, openChunk } from '@millrace/column-store'
import { DAY_MS } from '@millrace/contracts'
import { decodeBatch, encodeChunk, type LogLine, openBatch, openChunkBatch } from '../batch/log-batch.js'
import { compareLines } from '../batch/log-place.js'
import { chunkSchema } from '../batch/log-schema.js'
import { levelIndex } from '../records/severity.js'
import type { TailBatch } from '../tail/memory-tail.js'
import { type ChunkContent, type ChunkRow, type ChunkSummary, toChunkRow } from './chunk-row.js'
import { encodeLevelMinutes } from './level-minutes.js'

/** A service with at least this many lines in a window gets chunks of its own. */
const OWN_CHUNKS_LINES = 2048
/** Codec ids of `data`, its first byte. */
const CODEC_DEFLATE = 1
const DATA_BYTES_MAX = 256 * 1024 * 1024
/** Lines of a chunk in `data`. */
const DATA_LINES_MAX = 8192

export interface BuildRule {
  /** Lines older than this, measured from receipt, are stored on the day of their receipt, so that they are kept as long as new ones. */
  readonly retentionMs: number
  /** Which part of the chunks is decoded again and compared with its lines before it is stored. */
  readonly provenShare: number
}

/** What has to be known of a batch to store its lines. */
export type BatchToStore = Pick<
  TailBatch,
  'tenantId' | 'service' | 'partition' | 'firstOrdinal' | 'lines' | 'receivedAtMs' | 'bytes'
>

/** Chunks by the columns of the store; others say that lines had to be stored in the plain form. */
export interface BuiltWindow {
  readonly rows: readonly ChunkRow[]
  /** Why lines were stored in the form of older chunks, which takes more space and no token filter. */
  readonly unproven: readonly string[]
}

type BatchReader = ReturnType<typeof openBatch>

type ChunkDefinitions = typeof chunkSchema.definitions

interface ColumnBuilder {
  add(
    rows: ReturnType<typeof extendRows<ChunkDefinitions, ChunkDefinitions>>,
    isWanted?: (row: number) => boolean,
  ): void
  finish(): Chunk[]
}

function createColumnBuilder({ provenShare }: BuildRule): ColumnBuilder {
  return createChunkBuilder(chunkSchema, {
    sortBy: 'time',
    // Span ids are a fifth of all tokens and hardly ever searched for alone.
    tokensOf: ['message', 'attributes', 'trace', 'host'],
    // Random bytes do not shrink; templates are read by most searches, so they must be decoded fast.
    codecs: { message: 'lz4', trace: 'raw', span: 'raw', time: 'raw' },
    provenShare,
  })
}

/** Makes the chunks of windows: by tenant and day, large services apart, each sorted by time. Keeps its memory from window to window. */
export class LogChunkBuilder {
  readonly #rule: BuildRule
  readonly #builder: ColumnBuilder

  /** `builder` is for tests. */
  constructor(rule: BuildRule, builder: ColumnBuilder = createColumnBuilder(rule)) {
    this.#rule = rule
    this.#builder = builder
  }

  build(batches: readonly BatchToStore[]): BuiltWindow {
    const rows: ChunkRow[] = []
    const unproven: string[] = []
    for (const group of groups(batches)) {
      const opened = group.map((batch): Opened => ({ batch, reader: openBatch(batch.bytes) }))
      for (const [dayMs, wanted] of this.#days(opened)) {
        const { contents, reason } = this.#contents(wanted)
        if (reason !== undefined) unproven.push(reason)
        for (const content of contents)
          rows.push(toChunkRow(summarize(content, { tenantId: group[0]?.tenantId ?? 0, dayMs }), content))
      }
    }
    return { rows, unproven }
  }

  /** The batches of each day, with the lines of that day when a batch has lines of several ones. */
  #days(opened: readonly Opened[]): Map<number, WantedBatch[]> {
    const days = new Map<number, WantedBatch[]>()
    for (const { batch, reader } of opened) {
      const dayOf = (ms: number) =>
        Math.floor((ms > batch.receivedAtMs - this.#rule.retentionMs ? ms : batch.receivedAtMs) / DAY_MS) * DAY_MS
      const rowDays = reader.column('time').ms.map(dayOf)
      const different = new Set(rowDays)
      for (const day of different) {
        const isWanted = different.size === 1 ? undefined : (row: number) => rowDays[row] === day
        const wanted = { batch, reader, isWanted }
        const same = days.get(day)
        if (same === undefined) days.set(day, [wanted])
        else same.push(wanted)
      }
    }
    return days
  }

  #contents(wanted: readonly WantedBatch[]): { contents: readonly ChunkContent[]; reason?: string } {
    for (const { batch, reader, isWanted } of wanted) {
      const rows = extendRows(chunkSchema, reader, {
        service: { kind: 'keyword', value: batch.service },
        partition: { kind: 'int', value: batch.partition },
        ordinal: { kind: 'sequence', first: batch.firstOrdinal },
      })
      this.#builder.add(rows, isWanted)
    }
    try {
      return { contents: this.#builder.finish() }
    } catch (error) {
      if (!columnStoreErrors.COLUMN_CHUNK_UNPROVEN.matches(error)) throw error
      return { contents: plainContents(wanted), reason: (error as Error).message }
    }
  }
}

interface Opened {
  readonly batch: BatchToStore
  readonly reader: BatchReader
}

interface WantedBatch extends Opened {
  /** Undefined: all lines. */
  readonly isWanted: ((row: number) => boolean) | undefined
}

/** The batches that share chunks. */
function* groups(batches: readonly BatchToStore[]): Generator<readonly BatchToStore[]> {
  for (const ofTenant of groupBy(batches, ({ tenantId }) => tenantId).values()) {
    const small: BatchToStore[] = []
    for (const ofService of groupBy(ofTenant, ({ service }) => service).values()) {
      const lines = ofService.reduce((sum, batch) => sum + batch.lines, 0)
      if (lines >= OWN_CHUNKS_LINES) yield ofService
      else small.push(...ofService)
    }
    // Equal times keep the order of their places in the stream.
    small.sort((a, b) => a.partition - b.partition || a.firstOrdinal - b.firstOrdinal)
    if (small.length > 0) yield small
  }
}

function summarize(content: ChunkContent, place: Pick<ChunkSummary, 'tenantId' | 'dayMs'>): ChunkSummary {
  const reader = 'data' in content ? openStoredData(content.data) : openBuilt(content)
  const { ms } = reader.column('time')
  const { values } = reader.column('severity')
  const { dictionary } = reader.column('service')
  let levels = 0
  for (const severity of values) levels |= 1 << levelIndex(severity)
  const services = new Set<string>()
  let start = 0
  for (const end of dictionary.ends) {
    services.add(dictionary.bytes.toString('utf8', start, end))
    start = end
  }
  return {
    ...place,
    firstMs: ms[0] ?? 0,
    lastMs: ms.at(-1) ?? 0,
    lines: reader.rows,
    levels,
    services: [...services],
    minutes: encodeLevelMinutes(ms, values),
  }
}

function openBuilt({ head, segments }: Chunk) {
  return openChunk(chunkSchema, head, Object.fromEntries(segments.map(({ name, bytes }) => [name, bytes])))
}

/** Lines as a compressed batch: the form of older chunks, and the way out when a chunk of the column store does not decode to its lines. */
function plainContents(wanted: readonly WantedBatch[]): ChunkContent[] {
  const lines = wanted.flatMap(({ batch, isWanted }) =>
    decodeBatch(batch.bytes, batch).filter((_, row) => isWanted?.(row) !== false),
  )
  lines.sort(compareLines)
  const contents: ChunkContent[] = []
  for (let start = 0; start < lines.length; start += DATA_LINES_MAX)
    contents.push({ data: toStoredData(lines.slice(start, start + DATA_LINES_MAX)) })
  return contents
}

function toStoredData(lines: readonly LogLine[]): Buffer {
  return Buffer.concat([Buffer.of(CODEC_DEFLATE), deflateRawSync(encodeChunk(lines), { level: 1 })])
}

/** Opens `data` of a chunk. @throws when the bytes are not whole and unchanged */
export function openStoredData(data: Buffer): ReturnType<typeof openChunkBatch> {
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
