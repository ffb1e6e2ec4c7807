import { DAY_MS, HOUR_MS, MINUTE_MS } from '@millrace/contracts'
import { errors } from '../errors.js'
import { findTransition, instantOfLocal, type TimeZone } from './time-zone.js'

const STEPS = { '1m': MINUTE_MS, '5m': 5 * MINUTE_MS, '1h': HOUR_MS } as const
const INTERVALS = ['1m', '5m', '1h', '1d', '1w', '1mo'] as const
export type Interval = (typeof INTERVALS)[number]

/** @throws INVALID_INTERVAL */
export function parseInterval(text: string): Interval {
  const interval = INTERVALS.find((candidate) => candidate === text)
  if (interval === undefined)
    throw errors.INVALID_INTERVAL({ message: `there is no interval "${text}": use ${INTERVALS.join(', ')}` })
  return interval
}

/** Days of the week as `Date.getUTCDay` counts them. */
const WEEK_STARTS = { monday: 1, sunday: 0, saturday: 6 } as const
export type WeekStart = keyof typeof WEEK_STARTS

/** Default: Monday. @throws INVALID_WEEK_START */
export function parseWeekStart(text: string | undefined): WeekStart {
  if (text === undefined || text === '') return 'monday'
  if (text in WEEK_STARTS) return text as WeekStart
  throw errors.INVALID_WEEK_START({
    message: `a week cannot start on "${text}": use ${Object.keys(WEEK_STARTS).join(', ')}`,
  })
}

export interface BucketRequest {
  readonly fromMs: number
  readonly toMs: number
  readonly interval: Interval
  readonly zone: TimeZone
  /** First day of a week, for the interval 1w. Default: Monday. */
  readonly weekStart?: WeekStart
  readonly bucketsMax: number
}

/**
 * The starts of the buckets that overlap [fromMs, toMs), ascending. The first may be before `fromMs`. Days, weeks and
 * months follow the calendar of the time zone, so a day may have 23 or 25 hours; shorter intervals are
 * aligned to local time.
 * @throws TOO_MANY_BUCKETS with the number
 */
export function listBuckets(request: BucketRequest): number[] {
  const { fromMs, toMs, interval, zone, bucketsMax, weekStart = 'monday' } = request
  const estimate = Math.ceil((toMs - fromMs) / shortestMs(interval))
  if (estimate > bucketsMax + 1) throw tooMany(estimate, bucketsMax)
  const starts = isClockInterval(interval)
    ? subDayStarts(fromMs, toMs, STEPS[interval], zone)
    : calendarStarts({ fromMs, toMs, zone, weekStart }, interval)
  if (starts.length > bucketsMax) throw tooMany(starts.length, bucketsMax)
  return starts
}

function tooMany(buckets: number, bucketsMax: number) {
  return errors.TOO_MANY_BUCKETS({
    message: `the range has ${buckets} buckets, at most ${bucketsMax} are allowed: shorten the range or use a longer interval`,
    details: { buckets, bucketsMax },
  })
}

/** Whether the interval is a fixed number of minutes, and not a unit of the calendar. */
export function isClockInterval(interval: Interval): interval is keyof typeof STEPS {
  return interval in STEPS
}

/** The length of a fixed interval in ms; for intervals of the calendar, the length of a day. */
export function stepOf(interval: Interval): number {
  return isClockInterval(interval) ? STEPS[interval] : DAY_MS
}

function shortestMs(interval: Interval): number {
  if (isClockInterval(interval)) return STEPS[interval]
  return { '1d': DAY_MS, '1w': 7 * DAY_MS, '1mo': 31 * DAY_MS }[interval]
}

function subDayStarts(fromMs: number, toMs: number, stepMs: number, zone: TimeZone): number[] {
  const starts: number[] = []
  let start = floorTo(fromMs + zone.offsetAt(fromMs), stepMs) - zone.offsetAt(fromMs)
  // If the clocks changed between that time and fromMs, the bucket starts at the change.
  if (zone.offsetAt(start) !== zone.offsetAt(fromMs)) start = findTransition(zone, start, fromMs)
  while (start < toMs) {
    starts.push(start)
    start = nextSubDayStart(start, stepMs, zone)
  }
  return starts
}

function nextSubDayStart(startMs: number, stepMs: number, zone: TimeZone): number {
  const offset = zone.offsetAt(startMs)
  const next = floorTo(startMs + offset, stepMs) + stepMs - offset
  if (zone.offsetAt(next) === offset) return next
  const transition = findTransition(zone, startMs, next)
  if (transition === next) return next
  const changed = zone.offsetAt(transition)
  return -floorTo(-(transition + changed), stepMs) - changed
}

function calendarStarts(
  { fromMs, toMs, zone, weekStart }: Required<Omit<BucketRequest, 'interval' | 'bucketsMax'>>,
  interval: '1d' | '1w' | '1mo',
): number[] {
  const starts: number[] = []
  let date = firstDate(floorTo(fromMs + zone.offsetAt(fromMs), DAY_MS), interval, weekStart)
  for (;;) {
    const start = instantOfLocal(date, zone)
    if (start >= toMs) return starts
    // A day that a time zone skipped starts at the same time as the next day.
    if (starts.length === 0 || start > (starts.at(-1) as number)) starts.push(start)
    date = nextDate(date, interval)
  }
}

/** A date is represented by its midnight in UTC. */
function firstDate(date: number, interval: '1d' | '1w' | '1mo', weekStart: WeekStart): number {
  if (interval === '1d') return date
  if (interval === '1w') return date - ((new Date(date).getUTCDay() + 7 - WEEK_STARTS[weekStart]) % 7) * DAY_MS
  const day = new Date(date)
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1)
}

function nextDate(date: number, interval: '1d' | '1w' | '1mo'): number {
  if (interval === '1d') return date + DAY_MS
  if (interval === '1w') return date + 7 * DAY_MS
  const day = new Date(date)
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1)
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step
}
