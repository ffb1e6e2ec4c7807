import { DAY_MS, findUnstorable, MINUTE_MS, type RunQueryRequest } from '@millrace/contracts'
import { paginationErrors } from '@millrace/pagination'
import { errors } from '../errors.js'
import { type Interval, listBuckets, parseInterval } from './buckets.js'
import type { CellQuery } from './cell-query.js'
import { type FieldPath, parseFieldPath } from './field-path.js'
import { parseFilters } from './filter.js'
import { type Metric, parseMetric } from './metric.js'
import { findTimeZone, instantOfLocal, type TimeZone } from './time-zone.js'

const GROUPS_MAX = 3
const DEFAULT_RANGE = DAY_MS
const RANGE_FIRST = Date.UTC(1970, 0, 1)
const RANGE_LAST = Date.UTC(2300, 0, 1)

export interface ParseContext {
  readonly nowMs: number
  readonly bucketsMax: number
}

/** What a kind of query decides itself. */
export interface CellQueryRules {
  readonly metric?: Metric
  /** `needed` falls back to `1h`; `none` ignores what was sent. */
  readonly interval: 'needed' | 'optional' | 'none'
  readonly needsGroup?: boolean
  /** Which fields there are; absent: those of events. */
  readonly parsePath?: (name: string) => FieldPath
  readonly cursor: RangeEnd | null
}

/**
 * The common part of every kind: checks everything, defaults to the last 24 hours up to the end of this minute, in UTC.
 * @throws one of this service's codes of kind invalid.
 */
export function parseCellQuery(request: RunQueryRequest, rules: CellQueryRules, context: ParseContext): CellQuery {
  const { fromMs, toMs } = parseRange(request, { nowMs: context.nowMs, cursor: rules.cursor })
  const zone = parseZone(request)
  const interval = chooseInterval(request.interval, rules.interval)
  const bucketStarts =
    interval === null ? [fromMs] : listBuckets({ fromMs, toMs, interval, zone, bucketsMax: context.bucketsMax })
  return {
    event: parseEventName(request.event),
    metric: rules.metric ?? parseMetric(request.metric?.agg ?? 'count', request.metric?.property ?? ''),
    filters: parseFilters(request.filters, rules.parsePath),
    groupBy: parseGroupBy(request.groupBy, rules.needsGroup === true, rules.parsePath),
    fromMs,
    toMs,
    zone,
    interval,
    bucketStarts,
  }
}

/** Null for an empty name; `field` is where it stood. @throws INVALID_EVENT_NAME */
export function parseEventName(name: string, field = 'event'): string | null {
  const unstorable = findUnstorable(name)
  if (unstorable !== null) {
    const { reason, position } = unstorable
    throw errors.INVALID_EVENT_NAME({
      message: `${field} is no name of an event: ${reason}`,
      details: { field, position },
    })
  }
  return name === '' ? null : name
}

/** @throws INVALID_TIMEZONE; default UTC. */
export function parseZone(request: RunQueryRequest): TimeZone {
  return findTimeZone(request.timezone === '' ? 'UTC' : request.timezone)
}

/** What a cursor says of the range, so that all pages are of the first one's. */
interface RangeEnd {
  readonly toMs: number
}

/** [fromMs, toMs). */
interface AskedRange extends RangeEnd {
  readonly fromMs: number
}

export interface RangeRules {
  readonly nowMs: number
  /** Of a later page. */
  readonly cursor: RangeEnd | null
  /** Where a range begins that names its end alone. Default: 24 hours before. */
  readonly fromOf?: (toMs: number) => number
}

/**
 * Whole minutes need no raw rows, so the range of a first page that names no end ends with this one. A later page's is the same range, checked in the same
 * way: what a cursor says may be anybody's invention. @throws INVALID_TIME_RANGE, or INVALID_CURSOR where the cursor is to blame.
 */
export function parseRange(request: RunQueryRequest, { nowMs, cursor, fromOf }: RangeRules): AskedRange {
  if (cursor === null) return resolveRange(request, Math.ceil((nowMs + 1) / MINUTE_MS) * MINUTE_MS, fromOf)
  let range: AskedRange
  try {
    range = resolveRange(request, cursor.toMs, fromOf)
  } catch (cause) {
    throw paginationErrors.INVALID_CURSOR({ cause })
  }
  if (range.toMs !== cursor.toMs) throw paginationErrors.INVALID_CURSOR()
  return range
}

function resolveRange(
  request: RunQueryRequest,
  defaultToMs: number,
  fromOf: RangeRules['fromOf'] = (toMs) => toMs - DEFAULT_RANGE,
): AskedRange {
  const zone = parseZone(request)
  const toMs = instantOf(request.to, request.toIsLocal, zone) ?? defaultToMs
  const fromMs = instantOf(request.from, request.fromIsLocal, zone) ?? fromOf(toMs)
  if (![fromMs, toMs].every((ms) => ms >= RANGE_FIRST && ms <= RANGE_LAST)) {
    throw errors.INVALID_TIME_RANGE({ message: 'the time range must lie between the years 1970 and 2300' })
  }
  if (toMs <= fromMs) {
    const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()]
    throw errors.INVALID_TIME_RANGE({
      message: `the range ends at ${to}, which is not after its start at ${from}`,
      details: { from, to },
    })
  }
  return { fromMs, toMs }
}

function instantOf(time: Date | undefined, isLocal: boolean | undefined, zone: TimeZone): number | undefined {
  const ms = time?.getTime()
  return ms === undefined || isLocal !== true ? ms : instantOfLocal(ms, zone)
}

function chooseInterval(text: string, rule: CellQueryRules['interval']): Interval | null {
  if (rule === 'none') return null
  if (text !== '') return parseInterval(text)
  return rule === 'needed' ? '1h' : null
}

/** @throws INVALID_GROUP_BY or INVALID_FIELD_PATH */
export function parseGroupBy(
  names: readonly string[],
  isNeeded: boolean,
  parsePath: (name: string) => FieldPath = parseFieldPath,
): FieldPath[] {
  if (names.length > GROUPS_MAX)
    throw errors.INVALID_GROUP_BY({ message: `group_by has ${names.length} fields, at most ${GROUPS_MAX} are allowed` })
  if (isNeeded && names.length === 0)
    throw errors.INVALID_GROUP_BY({ message: 'group_by must name at least one field' })
  if (new Set(names).size < names.length) throw errors.INVALID_GROUP_BY({ message: 'group_by names a field twice' })
  return names.map(parsePath)
}

/** @throws INVALID_LIMIT; 0 is the default. */
export function parseLimit(limit: number, bounds: { readonly default: number; readonly max: number }): number {
  if (limit > bounds.max)
    throw errors.INVALID_LIMIT({ message: `the limit is ${limit}, at most ${bounds.max} is allowed` })
  return limit === 0 ? bounds.default : limit
}
