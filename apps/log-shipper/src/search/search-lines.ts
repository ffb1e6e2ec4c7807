import { setImmediate } from 'node:timers/promises'
import type { Database } from '@millrace/database'
import { decodeBatch, type LogLine } from '../batch/log-batch.js'
import { compareLines, type LogPlace, readChunk } from '../store/build-chunks.js'
import type { MemoryTail, TailSnapshot } from '../tail/memory-tail.js'
import { type LogQuery, matches } from './log-query.js'

/** A page of lines, from the newest to the oldest. */
export interface LogPage {
  readonly lines: readonly LogLine[]
  /** Where the next page begins; undefined after the last line. */
  readonly next: LogPlace | undefined
  /** Lines that were compared. */
  readonly scanned: number
  /** Lines of chunks that were not opened, because nothing in them could match. */
  readonly skipped: number
  /** The number of all matching lines, when everything was compared. */
  readonly total: number | undefined
}

export interface SearchDeps {
  readonly database: Pick<Database, 'withTenant'>
  readonly tail: Pick<MemoryTail, 'snapshot'>
  /** Lines that one page may compare before it answers with what it has and a cursor. */
  readonly scanMax?: number
  readonly signal?: AbortSignal | undefined
}

/** Chunks that one statement reads: about 4 MB. */
const CHUNKS_PER_READ = 8
const SCAN_LINES_MAX = 5_000_000

/**
 * Finds a page of lines of a tenant: in the memory tail, and in the chunks from the newest to the oldest until no older chunk can have a line of the page.
 * The tail is read first; a line that was written to a chunk meanwhile is skipped there, so that each line is found exactly once.
 */
export async function searchLines(tenantId: number, query: LogQuery, deps: SearchDeps): Promise<LogPage> {
  const snapshot = deps.tail.snapshot(tenantId)
  const page = new NewestLines(query)
  await searchTail(snapshot, query, page)
  const reader = new ChunkReader(tenantId, query, deps)
  const scanMax = deps.scanMax ?? SCAN_LINES_MAX
  for (;;) {
    const chunks = await reader.read(page)
    if (chunks.length === 0) break
    for (const { data } of chunks) {
      const lines = readChunk(data)
      page.scan(lines.filter((line) => !isInTail(line, snapshot)))
      await setImmediate()
    }
    // The chunks that follow are not newer than this one, so a line that is newer is complete.
    const last = chunks.at(-1) as ChunkRow
    if (page.scanned >= scanMax && page.canCutAt(last.lastMs)) return page.cutAt(last.lastMs)
  }
  return page.finish(await reader.countSkipped(), reader.hasReadAll)
}

async function searchTail({ batches }: TailSnapshot, query: LogQuery, page: NewestLines): Promise<void> {
  for (const batch of batches) {
    if (query.services.length > 0 && !query.services.includes(batch.service)) continue
    page.scan(decodeBatch(batch.bytes, batch))
    await setImmediate()
  }
}

function isInTail({ partition, ordinal }: LogLine, { firstOrdinals }: TailSnapshot): boolean {
  const first = firstOrdinals.get(partition)
  return first !== undefined && ordinal >= first
}

/** Keeps the newest lines that match. */
class NewestLines {
  readonly #query: LogQuery
  #lines: LogLine[] = []
  #matched = 0
  scanned = 0

  constructor(query: LogQuery) {
    this.#query = query
  }

  scan(lines: readonly LogLine[]): void {
    const { before, limit } = this.#query
    for (const line of lines) {
      this.scanned++
      if (before !== undefined && compareLines(line, before) >= 0) continue
      if (!matches(line, this.#query)) continue
      this.#matched++
      this.#lines.push(line)
    }
    if (this.#lines.length > limit) {
      this.#lines.sort((a, b) => compareLines(b, a))
      this.#lines.length = limit + 1
    }
  }

  /** Lines up to this time cannot be on the page any more, since it is full of newer ones; undefined while it is not full. */
  get oldestMs(): number | undefined {
    const { limit } = this.#query
    return this.#lines.length > limit ? this.#lines[limit]?.timeMs : undefined
  }

  finish(skipped: number, hasReadAll: boolean): LogPage {
    const { limit, before } = this.#query
    const sorted = this.#lines.sort((a, b) => compareLines(b, a))
    const lines = sorted.slice(0, limit)
    const next = sorted.length > limit ? lines.at(-1) : undefined
    const total = hasReadAll && before === undefined ? this.#matched : undefined
    return { lines, next, scanned: this.scanned, skipped, total }
  }

  /** Whether a page that ends there gets further than the one before. */
  canCutAt(ms: number): boolean {
    return this.#query.before === undefined || ms < this.#query.before.timeMs
  }

  /** Ends the page before everything is compared: only lines newer than this time are certain. */
  cutAt(ms: number): LogPage {
    const certain = this.#lines.filter(({ timeMs }) => timeMs > ms).sort((a, b) => compareLines(b, a))
    const { limit } = this.#query
    const lines = certain.slice(0, limit)
    const next =
      certain.length > limit
        ? (lines.at(-1) as LogPlace)
        : { timeMs: ms, timeSubNs: 1_000_000, partition: 0, ordinal: 0 }
    return { lines, next, scanned: this.scanned, skipped: 0, total: undefined }
  }
}

interface ChunkRow {
  readonly chunkId: bigint
  readonly lastMs: number
  readonly data: Buffer
}

/** Reads the chunks of a search by the time of their newest line, from the newest to the oldest. */
class ChunkReader {
  readonly #tenantId: number
  readonly #query: LogQuery
  readonly #deps: SearchDeps
  #after: ChunkRow | undefined
  /** Whether no chunk with a possible match was left out. */
  hasReadAll = false

  constructor(tenantId: number, query: LogQuery, deps: SearchDeps) {
    this.#tenantId = tenantId
    this.#query = query
    this.#deps = deps
  }

  /** The next chunks; empty when none can have a line of the page. */
  async read(page: NewestLines): Promise<ChunkRow[]> {
    if (this.hasReadAll) return []
    const { fromMs, toMs, levels, services, before } = this.#query
    const oldestMs = page.oldestMs
    const { rows } = await this.#deps.database.withTenant(
      this.#tenantId,
      (tx) =>
        tx.query<{ chunk_id: bigint; last_ms: bigint; data: Buffer }>({
          name: 'log-chunks',
          text: `select chunk_id, last_ms, data from log_chunks
            where tenant_id = $1 and last_ms >= $2 and first_ms < $3 and levels & $4::smallint <> 0 and (cardinality($5::text[]) = 0 or services && $5::text[])
              and (last_ms, chunk_id) < ($6, $7) and first_ms <= $8
            order by last_ms desc, chunk_id desc limit ${CHUNKS_PER_READ}`,
          values: [
            this.#tenantId,
            Math.max(fromMs, oldestMs ?? 0),
            toMs,
            levels,
            [...services],
            this.#after?.lastMs ?? Number.MAX_SAFE_INTEGER,
            this.#after?.chunkId ?? 0,
            before?.timeMs ?? Number.MAX_SAFE_INTEGER,
          ],
        }),
      { signal: this.#deps.signal },
    )
    const chunks = rows.map((row) => ({ chunkId: row.chunk_id, lastMs: Number(row.last_ms), data: row.data }))
    if (chunks.length === 0) this.hasReadAll = oldestMs === undefined
    this.#after = chunks.at(-1) ?? this.#after
    return chunks
  }

  /** Lines of the tenant in chunks of the time range whose heads show that they have no match. */
  async countSkipped(): Promise<number> {
    const { fromMs, toMs, levels, services } = this.#query
    const { rows } = await this.#deps.database.withTenant(
      this.#tenantId,
      (tx) =>
        tx.query<{ lines: bigint }>({
          name: 'log-chunks-skipped',
          text: `select coalesce(sum(lines), 0)::bigint as lines from log_chunks where tenant_id = $1 and last_ms >= $2 and first_ms < $3
            and not (levels & $4::smallint <> 0 and (cardinality($5::text[]) = 0 or services && $5::text[]))`,
          values: [this.#tenantId, fromMs, toMs, levels, [...services]],
        }),
      { signal: this.#deps.signal },
    )
    return Number(rows[0]?.lines ?? 0n)
  }
}
