import { LEVEL_SECONDS, MINUTE_LEVEL, PACKED_LEVEL } from '@millrace/rollups'
import type { TimeRange } from '../query/time-range.js'
import { blockedWindows } from './blocked-windows.js'
import type { Catalog } from './catalog.js'
import { chooseSeries, type SeriesQuestion } from './choose-series.js'
import { coverRange } from './cover-range.js'
import type { Plan, RollupPart } from './plan.js'
import { planTail } from './plan-tail.js'
import { splitMinutes } from './split-minutes.js'

export interface PlanRequest extends SeriesQuestion {
  readonly fromMs: number
  readonly toMs: number
  /** Starts of the buckets, ascending; one for a query without an interval. */
  readonly bucketStarts: readonly number[]
}

export interface PlannerConfig {
  /** How many records that are not yet rolled up are read from raw rows for one answer. */
  readonly tailRowsMax: number
}

/** Most separate ranges of raw rows; each is a statement. With more of them all is read from raw rows at once. */
const RAW_RANGES_MAX = 64

/**
 * Where each part of a query is answered from: the coarsest windows that answer it exactly, and raw rows for ragged ends, for
 * what no rollup covers and for what is not yet rolled up. Pure: the same catalog and request give the same plan.
 */
export function planQuery(request: PlanRequest, catalog: Catalog, config: PlannerConfig): Plan {
  const answer = chooseSeries(request, catalog.definitions)
  if (answer.kind === 'none') return rawPlan(request, answer.reason)
  const reasons = [answer.reason]
  if (catalog.dirty === null)
    reasons.push('too many windows wait for their recomputation: only 1-minute windows are used')
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
  if (cover.rollup.size === 0) return rawPlan(request, 'no whole window lies in the range')
  if (cover.raw.length > RAW_RANGES_MAX) return rawPlan(request, 'too many parts of the range are covered by no window')
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
  const tail = planTail(rolledUp, catalog.partitions, { rowsMax: config.tailRowsMax, rangesMax: RAW_RANGES_MAX })
  if (tail.mode === 'left_out') reasons.push(tail.reason)
  const isMixed = cover.raw.length > 0 || tail.mode === 'read'
  return { source: isMixed ? 'mixed' : 'rollup', series: answer.series, rollup, raw: cover.raw, tail, reasons }
}

function partsOfMinutes(ranges: readonly TimeRange[], windows: Parameters<typeof splitMinutes>[1]): RollupPart[] {
  const { packed, single } = splitMinutes(ranges, windows)
  const part = (isPacked: boolean, some: readonly TimeRange[]): RollupPart[] =>
    some.length === 0 ? [] : [{ level: MINUTE_LEVEL.seconds, isPacked, ranges: some }]
  return [...part(true, packed), ...part(false, single)]
}

function rawPlan({ fromMs, toMs }: TimeRange, reason: string): Plan {
  return { source: 'raw', series: null, rollup: [], raw: [{ fromMs, toMs }], tail: { mode: 'none' }, reasons: [reason] }
}
