import { compareLines, type LogPlace } from '../batch/log-place.js'
import type { CompiledQuery, LogRow } from './compiled-query.js'
import { findMatches } from './find-matches.js'
import { completeLine, type LogRows } from './log-rows.js'

/** A page of a search. */
export interface PageRequest {
  readonly query: CompiledQuery
  readonly limit: number
  /** Only lines before this one, in the order from the newest to the oldest. */
  readonly before: LogPlace | undefined
}

/** A page of lines, from the newest to the oldest. */
export interface LogPage {
  readonly lines: readonly LogRow[]
  /** Where the next page begins; undefined after the last line. */
  readonly next: LogPlace | undefined
  /** Lines that were compared. */
  readonly scanned: number
  /** Lines of chunks that were not opened, because nothing in them could match. */
  readonly skipped: number
  /** The number of all matching lines, when everything was compared. */
  readonly total: number | undefined
}

/** Keeps the newest lines that match. */
export class NewestLines {
  readonly #request: PageRequest
  #lines: LogRow[] = []
  #matched = 0
  scanned = 0

  constructor(request: PageRequest) {
    this.#request = request
  }

  scan(rows: LogRows, isWanted?: (index: number) => boolean): void {
    const { before, limit, query } = this.#request
    this.scanned += rows.count
    const found = findMatches(rows, query, isWanted)
    const added = before === undefined ? found : found.filter((index) => compareLines(rows.row(index), before) < 0)
    this.#matched += added.length
    // Rows of a chunk are sorted: only the last ones can be on the page.
    const newest =
      added.length > limit + 1
        ? added.sort((a, b) => compareLines(rows.row(b), rows.row(a))).slice(0, limit + 1)
        : added
    for (const index of newest) this.#lines.push(completeLine(rows.row(index)))
    if (this.#lines.length <= limit) return
    this.#lines.sort((a, b) => compareLines(b, a))
    this.#lines.length = limit + 1
  }

  /** Lines up to this time cannot be on the page any more, since it is full of newer ones; undefined while it is not full. */
  get oldestMs(): number | undefined {
    const { limit } = this.#request
    return this.#lines.length > limit ? this.#lines[limit]?.timeMs : undefined
  }

  finish(skipped: number, hasReadAll: boolean): LogPage {
    const { limit, before } = this.#request
    const sorted = this.#lines.sort((a, b) => compareLines(b, a))
    const lines = sorted.slice(0, limit)
    const next = sorted.length > limit ? lines.at(-1) : undefined
    const total = hasReadAll && before === undefined ? this.#matched : undefined
    return { lines, next, scanned: this.scanned, skipped, total }
  }

  /** Whether a page that ends there gets further than the one before. */
  canCutAt(ms: number): boolean {
    return this.#request.before === undefined || ms < this.#request.before.timeMs
  }

  /** Ends the page before everything is compared: only lines newer than this time are certain. */
  cutAt(ms: number): LogPage {
    const certain = this.#lines.filter(({ timeMs }) => timeMs > ms).sort((a, b) => compareLines(b, a))
    const { limit } = this.#request
    const lines = certain.slice(0, limit)
    const next =
      certain.length > limit
        ? (lines.at(-1) as LogPlace)
        : { timeMs: ms, timeSubNs: 1_000_000, partition: 0, ordinal: 0 }
    return { lines, next, scanned: this.scanned, skipped: 0, total: undefined }
  }
}
