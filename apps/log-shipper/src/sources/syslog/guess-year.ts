/** A date and time without a year and a time zone. */
export interface ClockTime {
  /** 0 to 11. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

/**
 * The time in ms since 1970. Without a year it is the one that brings the time nearest to its receipt, so a message of 31 December that is received on 1
 * January is of the old year. The time zone is that of this process. Undefined for a date that no year near the receipt has.
 */
export function guessYear(time: ClockTime, year: number | undefined, receivedAtMs: number): number | undefined {
  if (year !== undefined) return toMs(time, year)
  const received = new Date(receivedAtMs).getFullYear()
  let best: number | undefined
  for (const candidate of [received, received - 1, received + 1]) {
    const ms = toMs(time, candidate)
    if (ms === undefined) continue
    if (best === undefined || Math.abs(ms - receivedAtMs) < Math.abs(best - receivedAtMs)) best = ms
  }
  return best
}

function toMs({ month, day, hour, minute, second }: ClockTime, year: number): number | undefined {
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const date = new Date(year, month, day, hour, minute, Math.min(second, 59))
  return date.getMonth() === month && date.getDate() === day ? date.getTime() : undefined
}
