import { compareLines, type LogPlace } from '../batch/log-place.js'
import type { CompiledQuery, LogRow } from './compiled-query.js'

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
  /** What the page lacks, in sentences; empty when it has everything. */
  readonly incomplete: readonly string[]
}

/** A line that may be on the page, not made yet. */
export interface FoundLine<Source> {
  readonly place: LogPlace
  readonly source: Source
  readonly index: number
}

/** Keeps the newest lines that match. */
export class NewestLines<Source> {
  readonly #request: PageRequest
  #lines: FoundLine<Source>[] = []
  #matched = 0
  scanned = 0

  constructor(request: PageRequest) {
    this.#request = request
  }

  /** Adds matching lines of a batch or chunk. `isSorted`: in the order of `compareLines`, so that only the last ones can be on the page. */
  add(
    source: Source,
    matching: readonly number[],
    { placeOf, isSorted }: { placeOf: (index: number) => LogPlace; isSorted: boolean },
  ): void {
    const { before, limit } = this.#request
    let taken = 0
    if (before === undefined) this.#matched += matching.length
    for (let at = matching.length - 1; at >= 0 && !(isSorted && taken > limit); at--) {
      const index = matching[at] as number
      const { timeMs, timeSubNs, partition, ordinal } = placeOf(index)
      // A copy, which does not hold on to the columns of the line.
      const place = { timeMs, timeSubNs, partition, ordinal }
      if (before !== undefined && compareLines(place, before) >= 0) continue
      taken++
      this.#lines.push({ place, source, index })
    }
    if (this.#lines.length <= limit) return
    this.#lines.sort(newestFirst)
    this.#lines.length = limit + 1
  }

  /** Lines up to this time cannot be on the page any more, since it is full of newer ones; undefined while it is not full. */
  get oldestMs(): number | undefined {
    const { limit } = this.#request
    return this.#lines.length > limit ? this.#lines[limit]?.place.timeMs : undefined
  }

  finish(hasReadAll: boolean): PageOutline<Source> {
    const { limit, before } = this.#request
    const sorted = this.#lines.sort(newestFirst)
    const found = sorted.slice(0, limit)
    return {
      found,
      next: sorted.length > limit ? found.at(-1)?.place : undefined,
      total: hasReadAll && before === undefined ? this.#matched : undefined,
    }
  }

  /** Whether a page that ends there gets further than the one before. */
  canCutAt(ms: number): boolean {
    return this.#request.before === undefined || ms < this.#request.before.timeMs
  }

  /** Ends the page before everything is compared: only lines newer than this time are certain. */
  cutAt(ms: number): PageOutline<Source> {
    const certain = this.#lines.filter(({ place }) => place.timeMs > ms).sort(newestFirst)
    const { limit } = this.#request
    const found = certain.slice(0, limit)
    const next =
      certain.length > limit
        ? (found.at(-1)?.place as LogPlace)
        : { timeMs: ms, timeSubNs: 1_000_000, partition: 0, ordinal: 0 }
    return { found, next, total: undefined }
  }
}

/** A page whose lines are still to be made. */
export interface PageOutline<Source> {
  readonly found: readonly FoundLine<Source>[]
  readonly next: LogPlace | undefined
  readonly total: number | undefined
}

function newestFirst(a: FoundLine<unknown>, b: FoundLine<unknown>): number {
  return compareLines(b.place, a.place)
}
