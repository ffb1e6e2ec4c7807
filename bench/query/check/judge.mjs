/** A row that committed this long before a request may have been invisible to it still: PostgreSQL notes the time before it wakes its readers. */
export const SLACK_MS = 50
/** An answer over a closed range holds a late event at the latest so long after its commit, however old the answer says it is. */
export const LATE_BOUND_MS = 2_000

/**
 * Whether an answer keeps to what it says of itself. `base` has the values by key before any live event; `live` the events that count in the query as
 * {key, amount, committedMs, acknowledgedMs}. Amounts are positive, so each key's value must lie between two sums:
 * - at least `base` and every event committed before the request less the answer's age (and no more than LATE_BOUND_MS for a closed range), or
 *   acknowledged at or before its watermark;
 * - at most `base` and every event committed before the answer came.
 * Returns the keys that do not.
 */
export function findWrong(answer, { base, live, isClosed, isWhole = true }) {
  const age = isClosed ? Math.min(answer.ageMs, LATE_BOUND_MS) : answer.ageMs
  const mustMs = answer.sentMs - age - SLACK_MS
  const lower = new Map(base)
  const upper = new Map(base)
  for (const { key, amount, committedMs, acknowledgedMs } of live) {
    if (committedMs <= mustMs || acknowledgedMs <= answer.watermarkMs) add(lower, key, amount)
    if (committedMs <= answer.receivedMs) add(upper, key, amount)
  }
  // An answer that shows its greatest groups alone says nothing of the others.
  const keys = isWhole ? new Set([...answer.values.keys(), ...lower.keys()]) : answer.values.keys()
  return [...keys].flatMap((key) => {
    const [value, least, most] = [answer.values.get(key) ?? 0, lower.get(key) ?? 0, upper.get(key) ?? 0]
    const tolerance = 1e-9 * Math.abs(most)
    return value < least - tolerance || value > most + tolerance ? [{ key, value, least, most }] : []
  })
}

/** How far behind the rows an answer was, in ms: how long before the request the oldest event was committed that it does not hold. */
export function staleness(answer, { base, live, isWhole = true }) {
  if (!isWhole) return undefined
  let held = 0
  for (const value of answer.values.values()) held += value
  for (const value of base.values()) held -= value
  const ordered = live.toSorted((a, b) => a.committedMs - b.committedMs)
  for (const { amount, committedMs } of ordered) {
    held -= amount
    if (held < -1e-6 * amount) return Math.max(0, answer.sentMs - committedMs)
  }
  return 0
}

function add(sums, key, amount) {
  sums.set(key, (sums.get(key) ?? 0) + amount)
}
