import { DAY_MS } from '@millrace/contracts'
import { type Interval, stepOf } from './buckets.js'
import { instantOfLocal, type TimeZone } from './time-zone.js'

export interface ComparableRange {
  readonly fromMs: number
  readonly toMs: number
  readonly interval: Interval | null
  readonly zone: TimeZone
}

export interface PreviousRange {
  readonly fromMs: number
  readonly toMs: number
  /**
   * The time in the previous period that corresponds to a time in this one; null for a local time that was skipped when
   * clocks went forward.
   */
  counterpart(instantMs: number): number | null
}

/**
 * The period that a range is compared with: the range moved back by the smallest number of whole units after which it
 * ends at or before the start of the range. The unit is a month for the interval `1mo` and for ranges of whole months
 * without an interval, a week for `1w`, a day for `1d` and for ranges of whole days (so that local times stay the same
 * when clocks change), else the interval or a millisecond.
 */
export function previousRange(range: ComparableRange): PreviousRange {
  const { fromMs, toMs, zone } = range
  const local = (instantMs: number) => instantMs + zone.offsetAt(instantMs)
  const move = chooseMove(range, local(fromMs), local(toMs))
  if (move === null) {
    const step = range.interval === null ? 1 : stepOf(range.interval)
    const back = Math.ceil((toMs - fromMs) / step) * step
    return { fromMs: fromMs - back, toMs: toMs - back, counterpart: (instantMs) => instantMs - back }
  }
  const shift = (instantMs: number) => instantOfLocal(move(local(instantMs)), zone)
  return {
    fromMs: shift(fromMs),
    toMs: shift(toMs),
    counterpart(instantMs) {
      const shifted = shift(instantMs)
      return local(shifted) === move(local(instantMs)) ? shifted : null
    },
  }
}

/** Moves a local time back by calendar units; null when the range is moved back by its length. */
function chooseMove(
  { interval }: ComparableRange,
  fromLocal: number,
  toLocal: number,
): ((localMs: number) => number) | null {
  if (interval === '1mo' || (interval === null && isMonthStart(fromLocal) && isMonthStart(toLocal))) {
    let months = 1
    while (moveMonths(toLocal, months) > fromLocal) months++
    return (localMs) => moveMonths(localMs, months)
  }
  const isWholeDays = (toLocal - fromLocal) % DAY_MS === 0 && toLocal > fromLocal
  if (interval !== '1d' && interval !== '1w' && !isWholeDays) return null
  const unit = interval === '1w' ? 7 * DAY_MS : DAY_MS
  const back = Math.max(1, Math.ceil((toLocal - fromLocal) / unit)) * unit
  return (localMs) => localMs - back
}

function isMonthStart(localMs: number): boolean {
  return localMs % DAY_MS === 0 && new Date(localMs).getUTCDate() === 1
}

/** The same day and time in an earlier month, or the last day of a shorter month. */
function moveMonths(localMs: number, months: number): number {
  const date = new Date(localMs)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() - months]
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return Date.UTC(year, month, Math.min(date.getUTCDate(), last)) + (((localMs % DAY_MS) + DAY_MS) % DAY_MS)
}

interface Bucketed {
  readonly interval: Interval | null
  readonly bucketStarts: readonly number[]
}

/** The buckets of the previous period that the buckets of a range are compared with. */
export interface ComparedBuckets {
  /** Ascending; the first may be before the previous period. */
  readonly starts: readonly number[]
  /** For each bucket of the range, the index of its counterpart in `starts`; null when there is none. */
  readonly bucketOf: readonly (number | null)[]
}

/** Buckets of the calendar correspond by their number. `previousStarts` are those that the previous period touches. */
export function alignByNumber({ bucketStarts }: Bucketed, previousStarts: readonly number[]): ComparedBuckets {
  const bucketOf = bucketStarts.map((_, index) => (index < previousStarts.length ? index : null))
  return { starts: previousStarts, bucketOf }
}

/**
 * Fixed intervals correspond by local time. The counterpart of a bucket reaches up to that of the next one, so that no
 * time of the previous period is left out when clocks change: an hour that occurred twice in the previous period is one
 * counterpart of two hours, and an hour that the range skips is added to the counterpart of the hour before. Of an hour
 * that occurs twice in the range, only the first has a counterpart; an hour that the previous period skipped has none.
 */
export function alignByLocalTime({ bucketStarts }: Bucketed, previous: PreviousRange): ComparedBuckets {
  const starts: number[] = []
  const bucketOf = bucketStarts.map((start) => {
    const instantMs = previous.counterpart(start)
    if (instantMs === null || instantMs >= previous.toMs) return null
    if (instantMs <= (starts.at(-1) ?? Number.NEGATIVE_INFINITY)) return null
    return starts.push(instantMs) - 1
  })
  // The first bucket of the range may start at a local time that the previous period skipped.
  const first = Math.min(starts[0] ?? previous.fromMs, previous.fromMs)
  return { starts: [first, ...starts.slice(1)], bucketOf }
}
