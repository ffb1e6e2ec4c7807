import { coreErrors, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '@millrace/contracts'
import type { LogRow } from '../search/compiled-query.js'
import { fieldTexts } from './line-fields.js'

/** Widths of buckets from which `auto` chooses. */
const AUTO_WIDTHS = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400].map((s) => s * SECOND_MS)
const AUTO_BUCKETS = 100
const BUCKETS_MAX = 2000
const UNITS: Readonly<Record<string, number>> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }

/** The width of buckets in ms that `auto` or a text such as 30s, 5m, 1h or 1d asks for. @throws INVALID_REQUEST */
export function bucketWidth(
  interval: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): number {
  const span = toMs - fromMs
  if (interval === '' || interval === 'auto')
    return AUTO_WIDTHS.find((width) => span / width <= AUTO_BUCKETS) ?? Math.ceil(span / AUTO_BUCKETS / DAY_MS) * DAY_MS
  const [, number, unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(interval) ?? []
  const width = Number(number) * (UNITS[unit] ?? 0)
  if (!(width > 0))
    throw coreErrors.INVALID_REQUEST({
      message: 'interval must be auto, or a number with s, m, h or d, such as 30s or 1h',
      details: { field: 'interval' },
    })
  if (span / width > BUCKETS_MAX)
    throw coreErrors.INVALID_REQUEST({
      message: `interval ${interval} makes more than ${BUCKETS_MAX} buckets in this range: choose a longer interval or a shorter range`,
      details: { field: 'interval' },
    })
  return width
}

/** One bucket of a histogram. */
export interface LogBucket {
  readonly time: Date
  readonly count: number
  /** Lines by value of the field; a line with several values counts for each. */
  readonly groups?: Readonly<Record<string, number>>
}

/** Counts lines by time, and by the values of a field. */
export class LogHistogram {
  readonly #width: number
  readonly #field: readonly string[] | undefined
  readonly #buckets = new Map<number, { count: number; values: Map<string, number> }>()
  readonly #totals = new ValueCounts()

  constructor(width: number, field: readonly string[] | undefined) {
    this.#width = width
    this.#field = field
  }

  add(row: LogRow): void {
    const start = Math.floor(row.timeMs / this.#width) * this.#width
    let bucket = this.#buckets.get(start)
    if (bucket === undefined) {
      bucket = { count: 0, values: new Map() }
      this.#buckets.set(start, bucket)
    }
    bucket.count++
    if (this.#field === undefined) return
    for (const value of fieldTexts(row, this.#field))
      if (this.#totals.add(value)) bucket.values.set(value, (bucket.values.get(value) ?? 0) + 1)
  }

  /** All buckets of the range, empty ones too, with the most frequent values. */
  buckets({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }, groupsMax: number): LogBucket[] {
    const shown = this.#field === undefined ? undefined : this.#totals.top(groupsMax).map(({ value }) => value)
    const buckets: LogBucket[] = []
    for (let start = Math.floor(fromMs / this.#width) * this.#width; start < toMs; start += this.#width) {
      const bucket = this.#buckets.get(start)
      buckets.push({
        time: new Date(start),
        count: bucket?.count ?? 0,
        ...(shown !== undefined && {
          groups: Object.fromEntries(shown.map((value) => [value, bucket?.values.get(value) ?? 0])),
        }),
      })
    }
    return buckets
  }

  get uncounted(): number {
    return this.#totals.uncounted
  }
}

const VALUES_MAX = 100_000

/** Counts values. Beyond 100,000 different ones, lines with further values are only counted together. */
export class ValueCounts {
  readonly #counts = new Map<string, number>()
  /** Lines with values that have no count of their own. */
  uncounted = 0

  /** Whether the value has a count. */
  add(value: string): boolean {
    const count = this.#counts.get(value)
    if (count === undefined && this.#counts.size >= VALUES_MAX) {
      this.uncounted++
      return false
    }
    this.#counts.set(value, (count ?? 0) + 1)
    return true
  }

  get distinct(): number {
    return this.#counts.size
  }

  /** The most frequent values first; equally frequent ones by code point. */
  top(limit: number): { readonly value: string; readonly count: number }[] {
    return [...this.#counts]
      .map(([value, count]) => ({ value, count }))
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
      .slice(0, limit)
  }
}
