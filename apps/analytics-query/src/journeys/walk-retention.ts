import { periodOf } from './period-of.js'
import type { UserLists } from './user-lists.js'

export interface RetentionRequest {
  /** Starts of the periods, ascending. */
  readonly starts: readonly number[]
  /** How many periods after the cohort's own are followed. */
  readonly periods: number
  readonly groups: number
}

export interface Cohort {
  size: number
  /** Users who came back, by periods since the cohort's own, as far as the range goes. */
  readonly returned: Uint32Array
}

/**
 * Cohorts by group and period. A user belongs to the period of the first event of list 0, and has come back in a period with an event of list 1 at
 * or after that one; so in period 0 too.
 */
export function walkRetention({ users, lists }: UserLists, { starts, periods, groups }: RetentionRequest): Cohort[][] {
  const cohorts = Array.from({ length: groups }, () =>
    starts.map((_, index) => ({ size: 0, returned: new Uint32Array(Math.min(periods + 1, starts.length - index)) })),
  )
  const [first, returns] = lists
  if (first === undefined || returns === undefined) return cohorts
  for (let user = 0; user < users; user++) {
    const begin = first.starts[user] as number
    if (begin === first.starts[user + 1]) continue
    const beginMs = first.times[begin] as number
    const own = periodOf(starts, beginMs)
    const cohort = (cohorts[first.groups[begin] as number] as Cohort[])[own] as Cohort
    cohort.size++
    const end = returns.starts[user + 1] as number
    let nextMs = beginMs
    for (let at = returns.starts[user] as number; at < end; at++) {
      const timeMs = returns.times[at] as number
      if (timeMs < nextMs) continue
      if (timeMs === beginMs && (returns.places[at] as number) < (first.places[begin] as number)) continue
      const period = periodOf(starts, timeMs) - own
      if (period >= cohort.returned.length) break
      cohort.returned[period] = (cohort.returned[period] as number) + 1
      nextMs = starts[own + period + 1] ?? Number.POSITIVE_INFINITY
    }
  }
  return cohorts
}
