import type { TimeRange } from '../query/time-range.js'
import type { Plan } from './plan.js'

/** A plan for `explain`: widths of windows in seconds, times as ISO 8601. */
export function describePlan(plan: Plan): Record<string, unknown> {
  const { source, series, rollup, raw, unflushed, reasons } = plan
  return {
    source,
    series,
    rollup: rollup.map(({ level, isPacked, ranges }) => ({
      window_seconds: level,
      ...(isPacked && { packed: true }),
      ranges: ranges.map(describeRange),
    })),
    raw: raw.map(describeRange),
    unflushed: 'ranges' in unflushed ? { ...unflushed, ranges: unflushed.ranges.map(describeRange) } : unflushed,
    reasons,
  }
}

function describeRange({ fromMs, toMs }: TimeRange): { from: string; to: string } {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
}
