import type { TimeRange } from '../query/time-range.js'
import type { Plan } from './plan.js'

/** A plan as people read it: windows by their width in seconds, instants as ISO text. */
export function describePlan(plan: Plan): Record<string, unknown> {
  const { source, series, rollup, raw, tail, reasons } = plan
  return {
    source,
    series,
    rollup: rollup.map(({ level, isPacked, ranges }) => ({
      window_seconds: level,
      ...(isPacked && { packed: true }),
      ranges: ranges.map(describeRange),
    })),
    raw: raw.map(describeRange),
    unflushed: 'ranges' in tail ? { ...tail, ranges: tail.ranges.map(describeRange) } : tail,
    reasons,
  }
}

function describeRange({ fromMs, toMs }: TimeRange): { from: string; to: string } {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
}
