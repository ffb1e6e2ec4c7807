import { LEVEL_SECONDS, type LevelSeconds } from '@millrace/rollups'
import type { TimeRange } from '../query/time-range.js'

export interface CoverRequest {
  readonly fromMs: number
  readonly toMs: number
  /** Starts of the buckets, ascending. No window may overlap two buckets. */
  readonly bucketStarts: readonly number[]
  /** Levels that may be used. */
  readonly levels: readonly LevelSeconds[]
  /** Starts of windows that must not be used, ascending and distinct, by level. */
  readonly blocked: Readonly<Partial<Record<LevelSeconds, readonly number[]>>>
  /** Range in which rollups are complete. */
  readonly complete: TimeRange
  /** Windows that start earlier are deleted, by level. */
  readonly keptFromMs: Readonly<Partial<Record<LevelSeconds, number>>>
}

export interface Cover {
  readonly rollup: Map<LevelSeconds, TimeRange[]>
  readonly raw: TimeRange[]
}

/**
 * Covers [fromMs, toMs) with whole windows, the coarsest that fit, and the rest with raw rows. A blocked window is
 * replaced by the finer windows inside it. 1-minute windows are never blocked.
 */
export function coverRange(request: CoverRequest): Cover {
  const cover: Cover = { rollup: new Map(), raw: [] }
  const { complete } = request
  for (const { fromMs, toMs, coarsest } of stretchesOf(request)) {
    const completeFrom = Math.min(toMs, Math.max(fromMs, complete.fromMs))
    const completeTo = Math.max(completeFrom, Math.min(toMs, complete.toMs))
    addRange(cover.raw, fromMs, completeFrom)
    fill(request, cover, { fromMs: completeFrom, toMs: completeTo }, coarsest)
    addRange(cover.raw, completeTo, toMs)
  }
  return cover
}

/**
 * Ranges that can be covered on their own, with the index of the coarsest level that may fit: the whole range if no
 * such window overlaps two buckets, else each bucket.
 */
function* stretchesOf({
  fromMs,
  toMs,
  bucketStarts,
}: CoverRequest): Generator<TimeRange & { readonly coarsest: number }> {
  let longest = 0
  for (let i = 0; i < bucketStarts.length; i++)
    longest = Math.max(longest, (bucketStarts[i + 1] ?? toMs) - (bucketStarts[i] as number))
  const coarsest = coarsestWithin(longest)
  const width = (LEVEL_SECONDS[coarsest] as number) * 1000
  if (bucketStarts.every((start, i) => i === 0 || start % width === 0)) {
    yield { fromMs, toMs, coarsest }
    return
  }
  for (let i = 0; i < bucketStarts.length; i++) {
    const from = Math.max(fromMs, bucketStarts[i] as number)
    const to = Math.min(toMs, bucketStarts[i + 1] ?? toMs)
    yield { fromMs: from, toMs: to, coarsest: coarsestWithin(to - from) }
  }
}

/**
 * Index of the coarsest level whose windows may fit. Saves trying a day for each of 1,440 minutes, which would take as
 * long as everything else.
 */
function coarsestWithin(lengthMs: number): number {
  let index = LEVEL_SECONDS.length - 1
  while (index > 0 && (LEVEL_SECONDS[index] as number) * 1000 > lengthMs) index--
  return index
}

function fill(request: CoverRequest, cover: Cover, range: TimeRange, index: number): void {
  const { fromMs, toMs } = range
  if (fromMs >= toMs) return
  const level = LEVEL_SECONDS[index]
  if (level === undefined) {
    addRange(cover.raw, fromMs, toMs)
    return
  }
  const width = level * 1000
  const keptFrom = Math.min(toMs, Math.max(fromMs, request.keptFromMs[level] ?? fromMs))
  const first = Math.ceil(keptFrom / width) * width
  const last = Math.floor(toMs / width) * width
  if (first >= last || !request.levels.includes(level)) {
    fill(request, cover, range, index - 1)
    return
  }
  fill(request, cover, { fromMs, toMs: first }, index - 1)
  let at = first
  for (const window of windowsBetween(request.blocked[level] ?? [], first, last)) {
    addWindows(cover, level, at, window)
    fill(request, cover, { fromMs: window, toMs: window + width }, index - 1)
    at = window + width
  }
  addWindows(cover, level, at, last)
  fill(request, cover, { fromMs: last, toMs }, index - 1)
}

/** The starts (ascending) that lie in [fromMs, toMs). */
export function windowsBetween(starts: readonly number[], fromMs: number, toMs: number): readonly number[] {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((starts[middle] as number) < fromMs) low = middle + 1
    else high = middle
  }
  let end = low
  while (end < starts.length && (starts[end] as number) < toMs) end++
  return starts.slice(low, end)
}

function addWindows(cover: Cover, level: LevelSeconds, fromMs: number, toMs: number): void {
  if (fromMs >= toMs) return
  const ranges = cover.rollup.get(level) ?? []
  cover.rollup.set(level, ranges)
  addRange(ranges, fromMs, toMs)
}

/** Appends a range that starts at or after the end of the last one; adjacent ranges are merged. */
export function addRange(ranges: TimeRange[], fromMs: number, toMs: number): void {
  if (fromMs >= toMs) return
  const last = ranges.at(-1)
  if (last?.toMs === fromMs) ranges[ranges.length - 1] = { fromMs: last.fromMs, toMs }
  else ranges.push({ fromMs, toMs })
}
