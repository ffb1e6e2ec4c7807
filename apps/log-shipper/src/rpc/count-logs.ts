import {
  type CountLogsRequest,
  coreErrors,
  DAY_MS,
  type FindLogPatternsRequest,
  type LogAnswer,
  type LogConditions,
  type TopLogValuesRequest,
} from '@millrace/contracts'
import { type CallContext, tenantOf } from '@millrace/service'
import { compileRequest } from '../query/compile-request.js'
import { bucketWidth, LogHistogram, ValueCounts } from '../query/count-lines.js'
import { columnOf, fieldTexts, toFieldPath } from '../query/line-fields.js'
import { PatternCounts } from '../query/log-patterns.js'
import { formatTime } from '../records/parse-time.js'
import type { CompiledQuery } from '../search/compiled-query.js'
import type { LogRows } from '../search/log-rows.js'
import { type ScanRequest, scanLines } from '../search/search-lines.js'
import { readLimit } from './read-limit.js'
import type { SearchLogsDeps } from './search-logs.js'

type Call = Pick<CallContext, 'tenant' | 'signal'>
type Answered = { readonly answer: LogAnswer }
const RANGE_DEFAULT_MS = DAY_MS
const PATTERN_COLUMNS = ['time', 'severity', 'message', 'partition', 'ordinal'] as const

/** Counts lines by time. */
export function createCountLogs(deps: SearchLogsDeps) {
  return async function countLogs(request: CountLogsRequest, call: Call): Promise<Answered> {
    const limit = readLimit(request.limit)
    const query = toRange(request.conditions, deps)
    const width = bucketWidth(request.interval, query)
    const field = request.groupBy === '' ? undefined : toFieldPath(request.groupBy)
    const histogram = new LogHistogram(width, field)
    const columns = ['time', ...(field === undefined ? [] : [columnOf(field)])] as const
    const visit = (rows: LogRows, matching: readonly number[]) => {
      for (const index of matching) histogram.add(rows.row(index))
    }
    const counted = await count(call, { query, columns, visit }, deps)
    return {
      answer: {
        ...counted,
        dataJson: JSON.stringify(histogram.buckets(query, limit)),
        metaJson: JSON.stringify({ ...rangeOf(query), interval_ms: width }),
        incomplete: [...counted.incomplete, ...tooMany(histogram.uncounted, 'values')],
      },
    }
  }
}

/** Counts the values of a field. */
export function createTopLogValues(deps: SearchLogsDeps) {
  return async function topLogValues(request: TopLogValuesRequest, call: Call): Promise<Answered> {
    const limit = readLimit(request.limit)
    if (request.field === '')
      throw coreErrors.INVALID_REQUEST({ message: 'field is required', details: { field: 'field' } })
    const query = toRange(request.conditions, deps)
    const field = toFieldPath(request.field)
    const values = new ValueCounts()
    let without = 0
    const visit = (rows: LogRows, matching: readonly number[]) => {
      for (const index of matching) {
        const texts = fieldTexts(rows.row(index), field)
        if (texts.length === 0) without++
        for (const text of texts) values.add(text)
      }
    }
    const counted = await count(call, { query, columns: [columnOf(field)], visit }, deps)
    const total = Number(counted.total)
    const data = values.top(limit).map(({ value, count: lines }) => ({ value, count: lines, share: lines / total }))
    return {
      answer: {
        ...counted,
        dataJson: JSON.stringify(data),
        metaJson: JSON.stringify({ ...rangeOf(query), distinct: values.distinct, without_field: without }),
        incomplete: [...counted.incomplete, ...tooMany(values.uncounted, 'values')],
      },
    }
  }
}

/** Counts the patterns of messages, and compares them with the period of the same length before. */
export function createFindLogPatterns(deps: SearchLogsDeps) {
  return async function findLogPatterns(request: FindLogPatternsRequest, call: Call): Promise<Answered> {
    const limit = readLimit(request.limit)
    const query = toRange(request.conditions, deps)
    const patterns = new PatternCounts(query.fromMs)
    const both = { ...query, fromMs: Math.max(0, query.fromMs - (query.toMs - query.fromMs)) }
    const visit = (rows: LogRows, matching: readonly number[]) => patterns.add(rows, matching)
    const counted = await count(call, { query: both, columns: PATTERN_COLUMNS, visit }, deps)
    return {
      answer: {
        ...counted,
        total: BigInt(patterns.total),
        dataJson: JSON.stringify(patterns.top(limit, { byChange: request.byChange })),
        metaJson: JSON.stringify({
          ...rangeOf(query),
          previous_from: formatTime(both.fromMs, 0),
          distinct: patterns.distinct,
        }),
        incomplete: [...counted.incomplete, ...tooMany(patterns.uncounted, 'patterns')],
      },
    }
  }
}

/** The conditions with a range of times that has a beginning and an end; by default the last 24 hours. */
function toRange(conditions: LogConditions | undefined, { now }: Pick<SearchLogsDeps, 'now'>): CompiledQuery {
  if (conditions === undefined) throw coreErrors.INVALID_REQUEST({ message: 'the conditions are missing' })
  const query = compileRequest(conditions)
  const toMs = conditions.to === undefined ? Math.max(now() + 1, query.fromMs + 1) : query.toMs
  const fromMs = conditions.from === undefined ? Math.max(0, toMs - RANGE_DEFAULT_MS) : query.fromMs
  if (fromMs >= toMs)
    throw coreErrors.INVALID_REQUEST({ message: 'from must be before to', details: { field: 'from' } })
  return { ...query, fromMs, toMs }
}

async function count(
  call: Call,
  { visit, ...request }: ScanRequest,
  deps: SearchLogsDeps,
): Promise<Omit<LogAnswer, 'dataJson' | 'metaJson'>> {
  let total = 0
  const watermark = await deps.readWatermark()
  const {
    scanned,
    skipped,
    cutAtMs,
    incomplete: missing,
  } = await scanLines(
    tenantOf(call),
    {
      ...request,
      visit: (rows, matching) => {
        total += matching.length
        visit(rows, matching)
      },
    },
    { ...deps, signal: call.signal },
  )
  const incomplete =
    cutAtMs === undefined
      ? [...missing]
      : [
          ...missing,
          `lines up to ${formatTime(cutAtMs, 0)} are not counted, because a search compares a bounded number of lines`,
        ]
  return { scanned: BigInt(scanned), skipped: BigInt(skipped), total: BigInt(total), incomplete, watermark }
}

function rangeOf({ fromMs, toMs }: CompiledQuery): { readonly from: string; readonly to: string } {
  return { from: formatTime(fromMs, 0), to: formatTime(toMs, 0) }
}

function tooMany(lines: number, what: string): string[] {
  return lines === 0 ? [] : [`${lines} lines have ${what} beyond the number that is counted`]
}
