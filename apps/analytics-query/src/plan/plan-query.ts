import { LEVEL_SECONDS, MINUTE_LEVEL, PACKED_LEVEL } from '@millrace/rollups'
import type { TimeRange } from '../query/time-range.js'
import { blockedWindows } from './blocked-windows.js'
import type { Catalog } from './catalog.js'
import { chooseSeries, type SeriesRequest } from './choose-series.js'
import { coverRange } from './cover-range.js'
import type { Plan, RollupPart } from './plan.js'
import { planUnflushed } from './plan-unflushed.js'
import { splitMinutes } from './split-minutes.js'

export interface PlanRequest extends SeriesRequest {
  readonly fromMs: number
  readonly toMs: number
  /** Starts of the buckets, ascending; a single one for a query without an interval. */
  readonly bucketStarts: readonly number[]
}

export interface PlannerConfig {
  /** Maximum unflushed records that are read from raw rows for one answer. */
  readonly tailRowsMax: number
}

/**
 * Maximum separate ranges of raw rows, each of which is a statement. With more, the whole range is read from raw rows
 * by one statement.
 */
const RAW_RANGES_MAX = 64

/**
 * Plans from what each part of a range is answered: from the coarsest windows that are exact, and from raw rows at both
 * ends of the range, where no rollup is complete, and for unflushed records. A pure function: equal catalogs and
 * requests give equal plans.
 */
export function planQuery(request: PlanRequest, catalog: Catalog, config: PlannerConfig): Plan {
  const answer = chooseSeries(request, catalog.definitions)
  if (answer.kind === 'none') return rawPlan(request, answer.reason)
  const reasons = [answer.reason]
  if (catalog.dirty === null) reasons.push('too many dirty windows: only 1-minute windows are used')
  const blocked = blockedWindows(catalog.dirty ?? {})
  const cover = coverRange({
    fromMs: request.fromMs,
    toMs: request.toMs,
    bucketStarts: request.bucketStarts,
    levels: catalog.dirty === null ? [MINUTE_LEVEL.seconds] : LEVEL_SECONDS,
    blocked,
    complete: answer.complete,
    keptFromMs: catalog.keptFromMs,
  })
  if (cover.rollup.size === 0) return rawPlan(request, 'the range contains no whole window')
  if (cover.raw.length > RAW_RANGES_MAX)
    return rawPlan(request, 'too many parts of the range are not covered by any window')
  const rollup = LEVEL_SECONDS.flatMap((level): RollupPart[] => {
    const ranges = cover.rollup.get(level) ?? []
    if (level === MINUTE_LEVEL.seconds && catalog.dirty !== null)
      return partsOfMinutes(ranges, {
        blocked: blocked[PACKED_LEVEL.seconds] ?? [],
        keptFromMs: catalog.keptFromMs[PACKED_LEVEL.seconds],
      })
    return ranges.length === 0 ? [] : [{ level, isPacked: false, ranges }]
  })
  const rolledUp = rollup.flatMap(({ ranges }) => ranges)
  const unflushed = planUnflushed(rolledUp, catalog.partitions, {
    rowsMax: config.tailRowsMax,
    rangesMax: RAW_RANGES_MAX,
  })
  if (unflushed.mode === 'left_out') reasons.push(unflushed.reason)
  const isMixed = cover.raw.length > 0 || unflushed.mode === 'read'
  return { source: isMixed ? 'mixed' : 'rollup', series: answer.series, rollup, raw: cover.raw, unflushed, reasons }
}

function partsOfMinutes(ranges: readonly TimeRange[], windows: Parameters<typeof splitMinutes>[1]): RollupPart[] {
  const { packed, single } = splitMinutes(ranges, windows)
  const part = (isPacked: boolean, some: readonly TimeRange[]): RollupPart[] =>
    some.length === 0 ? [] : [{ level: MINUTE_LEVEL.seconds, isPacked, ranges: some }]
  return [...part(true, packed), ...part(false, single)]
}

function rawPlan({ fromMs, toMs }: TimeRange, reason: string): Plan {
  return {
    source: 'raw',
    series: null,
    rollup: [],
    raw: [{ fromMs, toMs }],
    unflushed: { mode: 'none' },
    reasons: [reason],
  }
}
