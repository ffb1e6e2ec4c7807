import { BEGINNING, type Position } from '../../driver/stream-driver.js'

/** Largest difference between the clocks of a primary and its replicas, in ms. Ids begin with the primary's clock. */
const CLOCK_SKEW_MS = 10_000
const LAST_SEQUENCE = '18446744073709551615'

/** Positions are entry ids, `<ms>-<sequence>`. */
export function comparePositions(a: Position, b: Position): number {
  if (a === b) return 0
  const [aMs, aSequence] = split(a)
  const [bMs, bSequence] = split(b)
  return aMs - bMs || aSequence - bSequence
}

/** The milliseconds of a Redis stream id. */
export function positionMs(position: Position): number {
  return split(position)[0]
}

/** The position right before the first id of a millisecond. */
export function positionBeforeMs(timeMs: number): Position {
  const ms = Math.floor(timeMs)
  return ms <= 0 ? BEGINNING : `${ms - 1}-${LAST_SEQUENCE}`
}

/** After a failover the new primary's clock may be behind, so that it assigns ids before those that were already read. */
export function safeStart(position: Position): Position {
  return position === BEGINNING ? BEGINNING : positionBeforeMs(positionMs(position) - CLOCK_SKEW_MS)
}

function split(position: Position): [ms: number, sequence: number] {
  if (position === BEGINNING) return [-1, 0]
  const dash = position.indexOf('-')
  return [Number(position.slice(0, dash)), Number(position.slice(dash + 1))]
}
