import { DAY_MS, MINUTE_MS } from '@millrace/contracts'
import { openBatch } from '../batch/log-batch.js'
import { compareLines, type LogPlace } from '../batch/log-place.js'
import type { CompiledQuery, LogRow } from '../search/compiled-query.js'
import { completeLine, rowsOfBatch } from '../search/log-rows.js'
import type { LogPage } from '../search/newest-lines.js'
import { type SearchDeps, scanLines } from '../search/search-lines.js'

/** A page of lines from the oldest to the newest. */
export interface OldestRequest {
  readonly query: CompiledQuery
  readonly limit: number
  /** Only lines after this one. */
  readonly after: LogPlace | undefined
}

/** What such a page needs besides a search. `now` is in ms since 1970. */
export interface OldestDeps extends SearchDeps {
  readonly now: () => number
}

const WIDTH_FIRST_MS = 5 * MINUTE_MS
const WIDTH_FACTOR = 100
/** Lines are at most a day ahead of their receipt. */
const AHEAD_MS = 2 * DAY_MS

/**
 * Finds a page of lines, from the oldest to the newest. The store reads from the newest line on, so this looks at ranges of time that begin where the page
 * begins: they grow until the page is full, and shrink when one has more lines than a search may compare.
 */
export async function oldestLines(tenantId: number, request: OldestRequest, deps: OldestDeps): Promise<LogPage> {
  const { query, limit, after } = request
  const firstMs = after === undefined ? await firstTime(tenantId, query, deps) : Math.max(query.fromMs, after.timeMs)
  const endMs = Math.min(query.toMs, deps.now() + AHEAD_MS)
  let scanned = 0
  let isShrinking = false
  for (let width = WIDTH_FIRST_MS; ; ) {
    const toMs = Math.min(endMs, firstMs + width)
    const found = new OldestLines(limit, after)
    const visit = (rows: { row(index: number): LogRow }, matching: readonly number[]) => {
      for (const index of matching) found.add(rows.row(index))
    }
    const result = await scanLines(tenantId, { query: { ...query, fromMs: firstMs, toMs }, visit }, deps)
    scanned += result.scanned
    if (result.cutAtMs !== undefined && width > 1) {
      width = Math.ceil(width / WIDTH_FACTOR)
      isShrinking = true
      continue
    }
    const isLast = toMs >= endMs
    if (found.isFull || isLast || isShrinking)
      return {
        ...found.page(isLast ? undefined : toMs),
        scanned,
        skipped: result.skipped,
        incomplete: result.incomplete,
      }
    width *= WIDTH_FACTOR
  }
}

/** Keeps the oldest lines after a place. */
class OldestLines {
  readonly #limit: number
  readonly #after: LogPlace | undefined
  #lines: LogRow[] = []
  /** Newer lines than this one cannot be on the page. */
  #last: LogRow | undefined
  #matched = 0

  constructor(limit: number, after: LogPlace | undefined) {
    this.#limit = limit
    this.#after = after
  }

  add(row: LogRow): void {
    if (this.#after !== undefined && compareLines(row, this.#after) <= 0) return
    this.#matched++
    if (this.#last !== undefined && compareLines(row, this.#last) >= 0) return
    this.#lines.push(completeLine(row))
    if (this.#lines.length > this.#limit * 4 + 1) this.#cut()
  }

  get isFull(): boolean {
    return this.#matched > this.#limit
  }

  /** The page. Without the end of the lines, the next page begins after the page or at `continuesAtMs`. */
  page(continuesAtMs: number | undefined): Pick<LogPage, 'lines' | 'next' | 'total'> {
    this.#cut()
    const lines = this.#lines.slice(0, this.#limit)
    if (this.isFull) return { lines, next: lines.at(-1), total: undefined }
    if (continuesAtMs === undefined)
      return { lines, next: undefined, total: this.#after === undefined ? this.#matched : undefined }
    // Before the first line of that millisecond.
    return { lines, next: { timeMs: continuesAtMs, timeSubNs: -1, partition: 0, ordinal: 0 }, total: undefined }
  }

  #cut(): void {
    this.#lines.sort(compareLines)
    this.#lines.length = Math.min(this.#lines.length, this.#limit + 1)
    this.#last = this.#lines[this.#limit]
  }
}

/** A time before which the tenant has no line in the range. */
async function firstTime(tenantId: number, { fromMs, toMs }: CompiledQuery, deps: OldestDeps): Promise<number> {
  const { rows } = await deps.database.withTenant(
    tenantId,
    (tx) =>
      tx.query<{ first_ms: bigint | null }>({
        name: 'log-first-time',
        text: 'select min(first_ms) as first_ms from log_chunks where tenant_id = $1 and last_ms >= $2 and first_ms < $3',
        values: [tenantId, fromMs, toMs],
      }),
    { signal: deps.signal },
  )
  let firstMs = Number(rows[0]?.first_ms ?? deps.now() + AHEAD_MS)
  const own = deps.tail.snapshot(tenantId)
  const others = await deps.streamTail?.read(new Set(own.ranges.keys()))
  const batches = [...own.batches, ...(others?.batches ?? []).filter((batch) => batch.tenantId === tenantId)]
  for (const batch of batches)
    for (const ms of rowsOfBatch(openBatch(batch.bytes), batch).columns('time').ms) firstMs = Math.min(firstMs, ms)
  return Math.max(fromMs, Math.min(firstMs, deps.now() + AHEAD_MS))
}
