// Limits within which an answer must lie, when it is known which rows it must include and which rows it may include.

/** Five standard errors of a HyperLogLog of 2^14 registers (1.04 / 128 each). */
const UNIQUES_ERROR = 0.041
/** A quantile is promised within 1 %. */
const QUANTILE_ERROR = 0.01

export interface Bounds {
  readonly least: number
  readonly most: number
  /** Whether an answer without a value for this key is right, too. */
  readonly mayMiss?: boolean
}

export interface KeyBounds extends Bounds {
  readonly key: string
}

interface Row {
  readonly timeMs: number
}

interface StepRow extends Row {
  /** Index of the funnel's step that the event is. */
  readonly step: number
}

/** Distinct users: `others` is the number of users whose rows do not change; `must` and `may` are the users of the other rows. */
export function uniquesBounds(others: number, must: readonly string[], may: readonly string[]): Bounds {
  const least = new Set(must)
  const most = new Set([...must, ...may])
  return {
    least: Math.floor((others + least.size) * (1 - UNIQUES_ERROR)),
    most: Math.ceil((others + most.size) * (1 + UNIQUES_ERROR)),
  }
}

/**
 * The value at the nearest rank, place ceil(q * n) - 1 of n in rising order. With j of the k rows that may be there, the one at place r has at least r + 1 - j of the others up
 * to it and n - r from it on; the place is at most ceil(q * (n + k)) - 1. Undefined when there may be no row at all.
 */
export function quantileBounds(sorted: ArrayLike<number>, may: readonly number[], q: number): Bounds | undefined {
  const n = sorted.length
  const k = may.length
  if (n + k === 0) return undefined
  const place = Math.max(Math.ceil(q * (n + k)), 1) - 1
  const lowest = Math.min(sorted[0] ?? Number.POSITIVE_INFINITY, ...may)
  const highest = Math.max(sorted[n - 1] ?? Number.NEGATIVE_INFINITY, ...may)
  const low = sorted[place - k] ?? lowest
  const high = sorted[place] ?? highest
  return { least: low - QUANTILE_ERROR * Math.abs(low), most: high + QUANTILE_ERROR * Math.abs(high) }
}

/** How many steps one user's events {timeMs, step} reach within `windowMs` of the first one. More events never reach less. */
export function stepsReached(
  events: readonly StepRow[],
  { windowMs, areTiesOrdered }: { readonly windowMs: number; readonly areTiesOrdered: boolean },
): number {
  // Rows of one instant have an order that is not known here: in the first reading they follow each other, in the other they do not.
  const ordered = events.toSorted((a, b) => a.timeMs - b.timeMs || (areTiesOrdered ? a.step - b.step : b.step - a.step))
  const begins: number[] = []
  for (const { timeMs, step } of ordered) {
    const begin = begins[step - 1]
    if (step === 0) begins[0] = timeMs
    else if (begin !== undefined && timeMs - begin <= windowMs)
      begins[step] = Math.max(begins[step] ?? Number.NEGATIVE_INFINITY, begin)
  }
  return begins.length
}

/** The funnel of one user by step. */
export function funnelBounds(
  must: readonly StepRow[],
  may: readonly StepRow[],
  { windowMs }: { readonly windowMs: number },
): KeyBounds[] {
  const least = stepsReached(must, { windowMs, areTiesOrdered: false })
  const most = stepsReached([...must, ...may], { windowMs, areTiesOrdered: true })
  return Array.from({ length: most }, (_, step) => ({ key: String(step), least: step < least ? 1 : 0, most: 1 }))
}

/**
 * The retention of one user whose first event and return are of one name, by cohort and period. An earlier event moves a user to another cohort: each
 * one up to that of the rows that must be there is possible, and certain only where no other is.
 */
export function retentionBounds(
  must: readonly Row[],
  may: readonly Row[],
  { periodOf }: { readonly periodOf: (timeMs: number) => number },
): KeyBounds[] {
  const sure = new Set(must.map(({ timeMs }) => periodOf(timeMs)))
  const possible = [...new Set([...must, ...may].map(({ timeMs }) => periodOf(timeMs)))].sort((a, b) => a - b)
  const last = Math.min(...sure)
  return possible.flatMap((cohort) => {
    if (cohort > last) return []
    const isSure = cohort === last && cohort === possible[0]
    const after = possible.filter((period) => period >= cohort)
    return after.map((period) => ({
      key: `${cohort} ${period - cohort}`,
      least: isSure && sure.has(period) ? 1 : 0,
      most: 1,
    }))
  })
}

/** The sessions of one user: one more row begins one, joins two, or goes into one, so it changes their number by one at most. */
export function sessionBounds(
  must: readonly Row[],
  may: readonly Row[],
  { fromMs, gapMs }: { readonly fromMs: number; readonly gapMs: number },
): KeyBounds[] {
  const times = must.map(({ timeMs }) => timeMs).sort((a, b) => a - b)
  const begun = times.filter(
    (timeMs, index) => timeMs >= fromMs && !(timeMs - (times[index - 1] ?? Number.NaN) < gapMs),
  ).length
  const [least, most] = [Math.max(0, begun - may.length), begun + may.length]
  return [
    { key: 'sessions', least, most },
    { key: 'users', least: Math.min(1, least), most: Math.min(1, most) },
  ]
}
