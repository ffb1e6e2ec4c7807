import type { Bounds } from './bounds.js'

/** An answer over a closed range includes a late event at most this long after it was stored, whatever age the answer states. */
export const LATE_BOUND_MS = 2_000

/** An answer with what it states about itself. */
export interface JudgedAnswer<Value = number> {
  readonly sentMs: number
  readonly receivedMs: number
  readonly ageMs: number
  readonly watermarkMs: number
  readonly isStale?: boolean
  readonly values: ReadonlyMap<string, Value>
}

/** The instants of an event's commit: `visibleMs` is when it was first seen to be visible. */
export interface LiveEvent {
  readonly committedMs: number
  readonly visibleMs: number
  readonly acknowledgedMs: number
}

export interface SumEvent extends LiveEvent {
  readonly key: string
  /** Positive. */
  readonly amount: number
}

export interface SumFacts {
  /** The values by key before any live event. */
  readonly base: ReadonlyMap<string, number>
  readonly live: readonly SumEvent[]
  readonly isClosed: boolean
  /** False for an answer that was cut at its limit. Default true. */
  readonly isWhole?: boolean
}

export interface SetFacts<Event extends LiveEvent> {
  readonly live: readonly Event[]
  readonly isClosed: boolean
  readonly boundsOf: (must: readonly Event[], may: readonly Event[]) => ReadonlyMap<string, Bounds>
}

export interface WrongValue {
  readonly key: string
  readonly value: number
  readonly least: number
  readonly most: number
}

/**
 * Finds the keys of an answer whose values contradict what the answer states about itself. Amounts are positive, so each key's value must lie between two
 * sums:
 * - at least `base` and every event that was visible before the request less the answer's age (for a closed range no more than LATE_BOUND_MS, unless the
 *   answer calls itself stale), or acknowledged at or before its watermark;
 * - at most `base` and every event committed before the answer arrived.
 */
export function findWrong(answer: JudgedAnswer, { base, live, isClosed, isWhole = true }: SumFacts): WrongValue[] {
  const mustHold = isNeeded(answer, isClosed)
  const lower = new Map(base)
  const upper = new Map(base)
  for (const event of live) {
    if (mustHold(event)) add(lower, event.key, event.amount)
    if (event.committedMs <= answer.receivedMs) add(upper, event.key, event.amount)
  }
  // An answer that was cut at its limit says nothing about the groups it leaves out.
  const keys = isWhole ? new Set([...answer.values.keys(), ...lower.keys()]) : answer.values.keys()
  return [...keys].flatMap((key) => {
    const [value, least, most] = [answer.values.get(key) ?? 0, lower.get(key) ?? 0, upper.get(key) ?? 0]
    const tolerance = 1e-9 * Math.abs(most)
    return value < least - tolerance || value > most + tolerance ? [{ key, value, least, most }] : []
  })
}

/**
 * The same for answers that are not sums. `boundsOf(must, may)` gives the bounds of each key from the live events that the answer must include and those
 * that it may include. A missing value counts as 0, unless its bounds say `mayMiss`.
 */
export function findOutside<Event extends LiveEvent>(
  answer: JudgedAnswer<number | null>,
  { live, isClosed, boundsOf }: SetFacts<Event>,
): WrongValue[] {
  const mustHold = isNeeded(answer, isClosed)
  const must = live.filter(mustHold)
  const may = live.filter((event) => !mustHold(event) && event.committedMs <= answer.receivedMs)
  const bounds = boundsOf(must, may)
  return [...new Set([...answer.values.keys(), ...bounds.keys()])].flatMap((key) => {
    const value = answer.values.get(key)
    const { least, most, mayMiss = false } = bounds.get(key) ?? { least: 0, most: 0 }
    if (mayMiss && (value === undefined || value === null)) return []
    const tolerance = 1e-9 * Math.abs(most)
    const isInside = (value ?? 0) >= least - tolerance && (value ?? 0) <= most + tolerance
    return isInside ? [] : [{ key, value: value ?? 0, least, most }]
  })
}

/** Whether an answer must include an event, by the age and the watermark that the answer states. */
function isNeeded(
  { sentMs, ageMs, watermarkMs, isStale }: JudgedAnswer<unknown>,
  isClosed: boolean,
): (event: LiveEvent) => boolean {
  const mustMs = sentMs - (isClosed && !isStale ? Math.min(ageMs, LATE_BOUND_MS) : ageMs)
  return ({ visibleMs, acknowledgedMs }) => visibleMs <= mustMs || acknowledgedMs <= watermarkMs
}

/** How far an answer was behind the rows, in ms: the time from the visibility of the oldest event that it lacks until the request. */
export function staleness(answer: JudgedAnswer, { base, live, isWhole = true }: SumFacts): number | undefined {
  if (!isWhole) return undefined
  let held = 0
  for (const value of answer.values.values()) held += value
  for (const value of base.values()) held -= value
  const ordered = live.toSorted((a, b) => a.visibleMs - b.visibleMs)
  for (const { amount, visibleMs } of ordered) {
    held -= amount
    if (held < -1e-6 * amount) return Math.max(0, answer.sentMs - visibleMs)
  }
  return 0
}

function add(sums: Map<string, number>, key: string, amount: number): void {
  sums.set(key, (sums.get(key) ?? 0) + amount)
}
