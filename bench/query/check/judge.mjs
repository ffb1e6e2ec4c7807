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
  const mustHold = isNeeded(answer, isClosed)
  const lower = new Map(base)
  const upper = new Map(base)
  for (const event of live) {
    if (mustHold(event)) add(lower, event.key, event.amount)
    if (event.committedMs <= answer.receivedMs) add(upper, event.key, event.amount)
  }
  // An answer that shows its greatest groups alone says nothing of the others.
  const keys = isWhole ? new Set([...answer.values.keys(), ...lower.keys()]) : answer.values.keys()
  return [...keys].flatMap((key) => {
    const [value, least, most] = [answer.values.get(key) ?? 0, lower.get(key) ?? 0, upper.get(key) ?? 0]
    const tolerance = 1e-9 * Math.abs(most)
    return value < least - tolerance || value > most + tolerance ? [{ key, value, least, most }] : []
  })
}

/**
 * The same for answers that are no sums. `boundsOf(must, may)` gives {least, most, mayMiss} by key from the live events that the answer must hold, and those
 * that it may hold besides; what is not in an answer is 0, and no key may be missing that is not called so. Returns the keys that do not keep to it.
 */
export function findOutside(answer, { live, isClosed, boundsOf }) {
  const mustHold = isNeeded(answer, isClosed)
  const must = live.filter(mustHold)
  const may = live.filter((event) => !mustHold(event) && event.committedMs <= answer.receivedMs)
  const bounds = boundsOf(must, may)
  return [...new Set([...answer.values.keys(), ...bounds.keys()])].flatMap((key) => {
    const value = answer.values.get(key)
    const { least = 0, most = 0, mayMiss = false } = bounds.get(key) ?? {}
    if (mayMiss && (value === undefined || value === null)) return []
    const tolerance = 1e-9 * Math.abs(most)
    const isInside = (value ?? 0) >= least - tolerance && (value ?? 0) <= most + tolerance
    return isInside ? [] : [{ key, value: value ?? 0, least, most }]
  })
}

/** Which events an answer must hold by what it says of itself. */
function isNeeded({ sentMs, ageMs, watermarkMs, isStale }, isClosed) {
  const mustMs = sentMs - (isClosed && !isStale ? Math.min(ageMs, LATE_BOUND_MS) : ageMs)
  return ({ visibleMs, acknowledgedMs }) => visibleMs <= mustMs || acknowledgedMs <= watermarkMs
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
