import type { TimeRange } from '../query/time-range.js'
import type { PartitionState } from './catalog.js'
import type { Unflushed } from './plan.js'

export interface UnflushedLimits {
  readonly rowsMax: number
  /** Maximum separate ranges, each of which is a statement. */
  readonly rangesMax: number
}

/** Decides how unflushed records are added to an answer from the `rolledUp` ranges. */
export function planUnflushed(
  rolledUp: readonly TimeRange[],
  partitions: readonly PartitionState[],
  limits: UnflushedLimits,
): Unflushed {
  const behind = partitions.filter(({ nextOrdinal, flushedOrdinal }) => nextOrdinal > flushedOrdinal)
  const rows = behind.reduce((sum, { nextOrdinal, flushedOrdinal }) => sum + Number(nextOrdinal - flushedOrdinal), 0)
  if (rolledUp.length === 0 || rows === 0) return { mode: 'none' }
  const bounds = boundsOf(behind)
  if (bounds === null)
    return { mode: 'left_out', rows, reason: 'the event times of the unflushed records are not known' }
  const ranges = joinRanges(rolledUp).flatMap((range) => intersect(range, bounds))
  if (ranges.length === 0) return { mode: 'none' }
  if (rows > limits.rowsMax)
    return {
      mode: 'left_out',
      rows,
      reason: `${rows} records are unflushed, at most ${limits.rowsMax} are read`,
    }
  if (ranges.length > limits.rangesMax)
    return { mode: 'left_out', rows, reason: 'the range has too many parts that are read from rollups' }
  return { mode: 'read', rows, ranges }
}

/** From the first to after the last unflushed event time; null when they are not known for some partition. */
function boundsOf(partitions: readonly PartitionState[]): TimeRange | null {
  let fromMs = Number.POSITIVE_INFINITY
  let toMs = Number.NEGATIVE_INFINITY
  for (const { unflushedFromMs, unflushedToMs } of partitions) {
    if (unflushedFromMs === null || unflushedToMs === null) return null
    fromMs = Math.min(fromMs, unflushedFromMs)
    toMs = Math.max(toMs, unflushedToMs + 1)
  }
  return { fromMs, toMs }
}

/** The ranges in order, adjacent ones merged. */
function joinRanges(ranges: readonly TimeRange[]): TimeRange[] {
  const joined: TimeRange[] = []
  for (const range of [...ranges].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1)
    if (last?.toMs === range.fromMs) joined[joined.length - 1] = { fromMs: last.fromMs, toMs: range.toMs }
    else joined.push(range)
  }
  return joined
}

function intersect(a: TimeRange, b: TimeRange): TimeRange[] {
  const fromMs = Math.max(a.fromMs, b.fromMs)
  const toMs = Math.min(a.toMs, b.toMs)
  return fromMs < toMs ? [{ fromMs, toMs }] : []
}
