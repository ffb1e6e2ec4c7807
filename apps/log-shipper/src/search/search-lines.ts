import { setImmediate } from 'node:timers/promises'
import { openBatch } from '../batch/log-batch.js'
import type { StreamTail } from '../store/stream-tail.js'
import type { MemoryTail, TailBatch, TailSnapshot } from '../tail/memory-tail.js'
import { ChunkGroups, type ReadDeps } from './chunk-groups.js'
import type { CompiledQuery, LogRow } from './compiled-query.js'
import { findMatches, openConditions } from './find-matches.js'
import { completeLine, type LogRows, rowsOfBatch } from './log-rows.js'
import { type FoundLine, type LogPage, NewestLines, type PageRequest } from './newest-lines.js'
import { ALL_COLUMNS, type ChunkColumn, isCorrupt, StoredChunk } from './stored-chunk.js'

export interface SearchDeps extends ReadDeps {
  readonly tail: Pick<MemoryTail, 'snapshot'>
  /** Lines that are in the stream and in no chunk, of the partitions that are not in the tail. */
  readonly streamTail?: Pick<StreamTail, 'read'> | undefined
  /** Lines that one page may compare before it answers with what it has and a cursor. Default 20 million. */
  readonly scanMax?: number
  /** The same for bytes that it reads. Default 2 GiB. */
  readonly bytesMax?: number
  /** The same for its time. Default 10 s. */
  readonly timeMaxMs?: number
}

const SCAN_LINES_MAX = 20_000_000
const SCAN_BYTES_MAX = 2 ** 31
const SCAN_TIME_MAX_MS = 10_000
/** The columns that decide the order of lines. */
const PLACE_COLUMNS = ['time', 'partition', 'ordinal'] as const

/**
 * Finds a page of lines of a tenant: in the memory tail, and in the chunks from the newest to the oldest until no older chunk can have a line of the page.
 * The tail is read first; a line that was written to a chunk meanwhile is skipped there, so that each line is found exactly once.
 */
export async function searchLines(tenantId: number, request: PageRequest, deps: SearchDeps): Promise<LogPage> {
  const { query, before } = request
  const scan = new Scan(tenantId, query, deps)
  const page = new NewestLines<LogRows | StoredChunk>(request)
  await scan.tail((rows, matching) =>
    page.add(rows, matching, { placeOf: (index) => rows.row(index), isSorted: false }),
  )
  const options = {
    columns: PLACE_COLUMNS,
    newestMs: before?.timeMs ?? Number.MAX_SAFE_INTEGER,
    oldestMs: () => page.oldestMs,
  }
  let outline: ReturnType<typeof page.finish> | undefined
  for await (const group of scan.groups.read(options)) {
    await scan.chunks(group, [], (chunk, rows, matching) =>
      page.add(chunk, matching, { placeOf: (index) => rows.row(index), isSorted: true }),
    )
    // The chunks that follow are not newer than this one, so a line that is newer is complete.
    const lastMs = group.at(-1)?.place.lastMs ?? 0
    if (!scan.isOver || !page.canCutAt(lastMs)) continue
    outline = page.cutAt(lastMs)
    break
  }
  const isCut = outline !== undefined
  outline ??= page.finish(!scan.groups.hasLeftOut)
  const skipped = scan.groups.skipped + (isCut ? 0 : await scan.groups.countSkipped())
  const { next, total } = outline
  const lines = await scan.lines(outline.found)
  return { lines, next, total, scanned: scan.scanned, skipped, incomplete: scan.incomplete }
}

/** What a scan has compared. */
export interface ScanResult {
  readonly scanned: number
  readonly skipped: number
  /** What the answer lacks, in sentences; empty when it has everything. */
  readonly incomplete: readonly string[]
  /** Lines up to this time were not compared, because the scan reached a limit; undefined when everything was. */
  readonly cutAtMs: number | undefined
}

/** A scan of all matching lines. */
export interface ScanRequest {
  readonly query: CompiledQuery
  /** The columns that `visit` reads. Default: all. */
  readonly columns?: readonly ChunkColumn[]
  /** Gets the lines of one batch or chunk, and the indexes of those that match. The rows are valid during the call only. */
  readonly visit: (rows: LogRows, matching: readonly number[]) => void
}

/**
 * Shows all matching lines of a tenant, each exactly once: the lines of one batch or chunk at a time, chunks from the newest to the oldest.
 */
export async function scanLines(tenantId: number, request: ScanRequest, deps: SearchDeps): Promise<ScanResult> {
  const { query, columns = ALL_COLUMNS, visit } = request
  const scan = new Scan(tenantId, query, deps)
  await scan.tail(visit)
  const options = { columns: [], newestMs: Number.MAX_SAFE_INTEGER, oldestMs: () => undefined }
  for await (const group of scan.groups.read(options)) {
    await scan.chunks(group, columns, (_chunk, rows, matching) => visit(rows, matching))
    const cutAtMs = group.at(-1)?.place.lastMs
    if (scan.isOver) return { ...countsOf(scan, 0), cutAtMs }
  }
  return { ...countsOf(scan, await scan.groups.countSkipped()), cutAtMs: undefined }
}

function countsOf({ scanned, groups, incomplete }: Scan, skippedByHead: number): Omit<ScanResult, 'cutAtMs'> {
  return { scanned, skipped: groups.skipped + skippedByHead, incomplete }
}

/** One pass over the lines of a tenant. */
class Scan {
  readonly #query: CompiledQuery
  readonly #deps: SearchDeps
  readonly #tenantId: number
  #snapshot: TailSnapshot = { batches: [], ranges: new Map() }
  /** What the answer lacks, in sentences. */
  incomplete: readonly string[] = []
  readonly #startedAt = performance.now()
  readonly groups: ChunkGroups
  #bytes = 0
  /** Lines that were compared. */
  scanned = 0

  constructor(tenantId: number, query: CompiledQuery, deps: SearchDeps) {
    this.#query = query
    this.#deps = deps
    this.#tenantId = tenantId
    this.groups = new ChunkGroups(tenantId, query, deps)
  }

  /** Whether it has reached a limit. */
  get isOver(): boolean {
    const { scanMax = SCAN_LINES_MAX, bytesMax = SCAN_BYTES_MAX, timeMaxMs = SCAN_TIME_MAX_MS } = this.#deps
    return this.scanned >= scanMax || this.#bytes >= bytesMax || performance.now() - this.#startedAt >= timeMaxMs
  }

  async tail(visit: (rows: LogRows, matching: readonly number[]) => void): Promise<void> {
    const { services } = this.#query
    await this.#takeSnapshot()
    for (const batch of this.#snapshot.batches) {
      if (services.length > 0 && !services.includes(batch.service)) continue
      const rows = openTailBatch(batch)
      this.scanned += rows.count
      const matching = this.#exact(rows, findMatches(rows, this.#query))
      if (matching.length > 0) visit(rows, matching)
      await this.#pause()
    }
  }

  /** Before chunks are read, so that a line that moves to a chunk meanwhile is found. */
  async #takeSnapshot(): Promise<void> {
    const { tail, streamTail } = this.#deps
    const own = tail.snapshot(this.#tenantId)
    this.#snapshot = own
    if (streamTail === undefined) return
    const { batches, ranges, incomplete } = await streamTail.read(new Set(own.ranges.keys()))
    const others = batches.filter(({ tenantId }) => tenantId === this.#tenantId)
    this.#snapshot = { batches: [...own.batches, ...others], ranges: new Map([...own.ranges, ...ranges]) }
    this.incomplete = incomplete
  }

  /** Compares the lines of chunks. `columns` are loaded for the chunks that have matches. */
  async chunks(
    group: readonly StoredChunk[],
    columns: readonly ChunkColumn[],
    visit: (chunk: StoredChunk, rows: LogRows, matching: readonly number[]) => void,
  ): Promise<void> {
    await this.groups.load(
      group.filter((chunk) => chunk.rows !== undefined && chunk.mayBeInTail(this.#snapshot)),
      () => ['partition', 'ordinal'],
    )
    const matched: { chunk: StoredChunk; rows: LogRows; matching: number[] }[] = []
    for (const chunk of group) {
      const { rows } = chunk
      if (rows !== undefined) {
        this.scanned += rows.count
        const matching = this.#readable(chunk, () => this.#matchingOf(chunk, rows)) ?? []
        if (matching.length > 0) matched.push({ chunk, rows, matching })
      } else if (chunk.isCorrupt) this.#noteCorrupt(chunk)
      await this.#pause()
    }
    const wanted = this.#query.matches === undefined ? columns : ALL_COLUMNS
    await this.groups.load(
      matched.map(({ chunk }) => chunk),
      () => wanted,
    )
    for (const { chunk, rows, matching } of matched) {
      this.#readable(chunk, () => {
        const exact = this.#exact(rows, matching)
        if (exact.length > 0) visit(chunk, rows, exact)
      })
      this.#bytes += chunk.bytes
      if (this.#query.matches !== undefined) await this.#pause()
    }
    for (const chunk of group) chunk.release()
  }

  #matchingOf(chunk: StoredChunk, rows: LogRows): number[] {
    const matching = findMatches(rows, this.#query, openConditions(this.#query, chunk.place))
    if (matching.length === 0 || !chunk.mayBeInTail(this.#snapshot)) return matching
    return matching.filter((index) => !isInTail(rows, index, this.#snapshot))
  }

  /** A chunk whose bytes are not valid must not hide the lines of all others. */
  #readable<T>(chunk: StoredChunk, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!isCorrupt(error)) throw error
      this.#noteCorrupt(chunk)
      return undefined
    }
  }

  #noteCorrupt({ place: { chunkId, lines } }: StoredChunk): void {
    const sentence = `${lines} lines of chunk ${chunkId} are missing: its bytes are not valid`
    if (!this.incomplete.includes(sentence)) this.incomplete = [...this.incomplete, sentence]
  }

  /** Makes lines of which only the place is known. */
  async lines(found: readonly FoundLine<LogRows | StoredChunk>[]): Promise<LogRow[]> {
    const lines = new Map<FoundLine<LogRows | StoredChunk>, LogRow>()
    const make = (one: FoundLine<LogRows | StoredChunk>, rows: LogRows | undefined) => {
      if (rows === undefined) return
      const complete = () => completeLine(rows.row(one.index))
      const line = one.source instanceof StoredChunk ? this.#readable(one.source, complete) : complete()
      if (line !== undefined) lines.set(one, line)
    }
    for (const one of found) if (!(one.source instanceof StoredChunk)) make(one, one.source)
    const chunks = [...new Set(found.map(({ source }) => source))].filter((source) => source instanceof StoredChunk)
    for (let start = 0; start < chunks.length; start += LINES_CHUNKS) {
      const group = chunks.slice(start, start + LINES_CHUNKS)
      await this.groups.load(group, () => ALL_COLUMNS)
      for (const one of found)
        if (one.source instanceof StoredChunk && group.includes(one.source)) make(one, one.source.rows)
      for (const chunk of group) chunk.release()
    }
    // Lines of a chunk that was dropped meanwhile are gone.
    return found.map((one) => lines.get(one)).filter((line) => line !== undefined)
  }

  #exact(rows: LogRows, matching: number[]): number[] {
    const { matches } = this.#query
    return matches === undefined ? matching : matching.filter((index) => matches(rows.row(index)))
  }

  /** Lets other work run, and ends when the caller is gone. */
  async #pause(): Promise<void> {
    this.#deps.signal?.throwIfAborted()
    await setImmediate()
  }
}

/** Chunks of a page that are loaded completely by one statement. */
const LINES_CHUNKS = 16

function openTailBatch(batch: TailBatch): LogRows {
  return rowsOfBatch(openBatch(batch.bytes), batch)
}

/** Whether a line of a chunk was shown as a line of the tail already. */
function isInTail({ places }: LogRows, index: number, { ranges }: TailSnapshot): boolean {
  const range = ranges.get(places.partition(index))
  if (range === undefined) return false
  const ordinal = places.ordinal(index)
  return ordinal >= range.first && ordinal < range.next
}
