import { DAY_MS, findUnstorable, MINUTE_MS, QUERY_LIMITS, type RunQueryRequest } from '@millrace/contracts'
import { paginationErrors } from '@millrace/pagination'
import { errors } from '../errors.js'
import { type Interval, listBuckets, parseInterval, parseWeekStart } from './buckets.js'
import type { CellQuery } from './cell-query.js'
import { type FieldPath, parseFieldPath } from './field-path.js'
import { parseFilters } from './filter.js'
import { type Metric, parseMetric } from './metric.js'
import { findTimeZone, instantOfLocal, type TimeZone } from './time-zone.js'

const GROUPS_MAX = QUERY_LIMITS.groupByMax
const DEFAULT_RANGE = DAY_MS
const RANGE_FIRST = Date.UTC(1970, 0, 1)
const RANGE_LAST = Date.UTC(2300, 0, 1)

export interface ParseContext {
  readonly nowMs: number
  readonly bucketsMax: number
}

/** What differs between query kinds. */
export interface CellQueryRules {
  readonly metric?: Metric
  /** `needed`: default `1h`. `optional`: default none. `none`: the interval of the request is ignored. */
  readonly interval: 'needed' | 'optional' | 'none'
  readonly needsGroup?: boolean
  /** Parses a field path. Default: the fields of events. */
  readonly parsePath?: (name: string) => FieldPath
  readonly cursor: RangeEnd | null
}

/**
 * Parses the part of a request that all kinds over cells have in common. The default range is the last 24 hours up to
 * the end of the current minute; the default time zone is UTC.
 * @throws errors of kind invalid
 */
export function parseCellQuery(request: RunQueryRequest, rules: CellQueryRules, context: ParseContext): CellQuery {
  const { fromMs, toMs } = parseRange(request, { nowMs: context.nowMs, cursor: rules.cursor })
  const zone = parseZone(request)
  const interval = chooseInterval(request.interval, rules.interval)
  const weekStart = parseWeekStart(request.weekStart)
  const { bucketsMax } = context
  const bucketStarts =
    interval === null ? [fromMs] : listBuckets({ fromMs, toMs, interval, zone, weekStart, bucketsMax })
  return {
    event: parseEventName(request.event),
    metric: rules.metric ?? parseMetric(request.metric?.agg ?? 'count', request.metric?.property ?? ''),
    filters: parseFilters(request.filters, rules.parsePath),
    groupBy: parseGroupBy(request.groupBy, rules.needsGroup === true, rules.parsePath),
    fromMs,
    toMs,
    zone,
    interval,
    weekStart,
    bucketStarts,
  }
}

/** Null for an empty name. `field` is the name of the request field, for the error. @throws INVALID_EVENT_NAME */
export function parseEventName(name: string, field = 'event'): string | null {
  const unstorable = findUnstorable(name)
  if (unstorable !== null) {
    const { reason, position } = unstorable
    throw errors.INVALID_EVENT_NAME({
      message: `${field} is not a valid event name: ${reason}`,
      details: { field, position },
    })
  }
  return name === '' ? null : name
}

/** Default: UTC. @throws INVALID_TIMEZONE */
export function parseZone(request: RunQueryRequest): TimeZone {
  return findTimeZone(request.timezone === '' ? 'UTC' : request.timezone)
}

/** The part of a cursor that fixes the range, so that all pages have the range of the first one. */
interface RangeEnd {
  readonly toMs: number
}

/** [fromMs, toMs). */
interface RequestedRange extends RangeEnd {
  readonly fromMs: number
}

export interface RangeRules {
  readonly nowMs: number
  /** Null for the first page. */
  readonly cursor: RangeEnd | null
  /** The start of a range of which the request has only the end. Default: 24 hours before the end. */
  readonly fromOf?: (toMs: number) => number
}

/**
 * The range of a request. Without an end it ends with the current minute, since whole minutes can be answered from
 * rollups. A later page has the range of the first one, taken from the cursor and checked again, since a cursor may be
 * forged.
 * @throws INVALID_TIME_RANGE, or INVALID_CURSOR when the cursor is at fault
 */
export function parseRange(request: RunQueryRequest, { nowMs, cursor, fromOf }: RangeRules): RequestedRange {
  if (cursor === null) return resolveRange(request, Math.ceil((nowMs + 1) / MINUTE_MS) * MINUTE_MS, fromOf)
  let range: RequestedRange
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
): RequestedRange {
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
  const paths = names.map((name) => parsePath(name))
  if (new Set(paths.map(({ name }) => name)).size < paths.length)
    throw errors.INVALID_GROUP_BY({ message: 'group_by names a field twice' })
  return paths
}

/** 0 stands for the default. @throws INVALID_LIMIT */
export function parseLimit(limit: number, bounds: { readonly default: number; readonly max: number }): number {
  if (limit > bounds.max)
    throw errors.INVALID_LIMIT({ message: `the limit is ${limit}, at most ${bounds.max} is allowed` })
  return limit === 0 ? bounds.default : limit
}
