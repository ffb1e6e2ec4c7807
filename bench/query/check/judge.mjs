/** An answer over a closed range holds a late event at the latest so long after it was stored, however old the answer says it is. */
export const LATE_BOUND_MS = 2_000

/**
 * Whether an answer keeps to what it says of itself. `base` has the values by key before any live event; `live` the events that count in the query as
 * {key, amount, committedMs, visibleMs, acknowledgedMs}. Amounts are positive, so each key's value must lie between two sums:
 * - at least `base` and every event that was visible before the request less the answer's age (for a closed range no more than LATE_BOUND_MS, unless the
 *   answer calls itself stale), or acknowledged at or before its watermark;
 * - at most `base` and every event committed before the answer came.
 * Returns the keys that do not.
 */
export function findWrong(answer, { base, live, isClosed, isWhole = true }) {
  const age = isClosed && !answer.isStale ? Math.min(answer.ageMs, LATE_BOUND_MS) : answer.ageMs
  const mustMs = answer.sentMs - age
  const lower = new Map(base)
  const upper = new Map(base)
  for (const { key, amount, committedMs, visibleMs, acknowledgedMs } of live) {
    if (visibleMs <= mustMs || acknowledgedMs <= answer.watermarkMs) add(lower, key, amount)
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

/** How far behind the rows an answer was, in ms: how long before the request the oldest event was visible that it does not hold. */
export function staleness(answer, { base, live, isWhole = true }) {
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

function add(sums, key, amount) {
  sums.set(key, (sums.get(key) ?? 0) + amount)
}
