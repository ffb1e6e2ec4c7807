import { DAY_MS } from '@millrace/contracts'
import { errors } from '../errors.js'

/** A time zone of the IANA database. */
export interface TimeZone {
  readonly name: string
  /** How far local time is ahead of UTC at a time, in ms. */
  offsetAt(instantMs: number): number
}

const zones = new Map<string, TimeZone>()
const ZONES_KEPT_MAX = 600

/** @throws INVALID_TIMEZONE */
export function findTimeZone(name: string): TimeZone {
  const known = zones.get(name)
  if (known !== undefined) return known
  const zone = name === 'UTC' ? { name, offsetAt: () => 0 } : createTimeZone(name)
  if (zones.size < ZONES_KEPT_MAX) zones.set(name, zone)
  return zone
}

const DAYS_KEPT_MAX = 20_000

/**
 * Intl takes 5 us per offset, so the offset at the start of each day is cached: if two successive days start with the
 * same offset, it did not change in between.
 */
function createTimeZone(name: string): TimeZone {
  const format = openFormat(name)
  const days = new Map<number, number>()
  const offsetOfDay = (day: number): number => {
    const known = days.get(day)
    if (known !== undefined) return known
    if (days.size >= DAYS_KEPT_MAX) days.clear()
    const offset = askOffset(format, day * DAY_MS)
    days.set(day, offset)
    return offset
  }
  const offsetAt = (instantMs: number): number => {
    const day = Math.floor(instantMs / DAY_MS)
    const offset = offsetOfDay(day)
    return offset === offsetOfDay(day + 1) ? offset : askOffset(format, instantMs)
  }
  return { name, offsetAt }
}

function askOffset(format: Intl.DateTimeFormat, instantMs: number): number {
  const seconds = Math.floor(instantMs / 1000) * 1000
  const parts: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(seconds)) parts[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute, second) - seconds
}

function openFormat(name: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch (cause) {
    throw errors.INVALID_TIMEZONE({
      message: `the time zone "${name.slice(0, 60)}" is not known`,
      cause,
      details: { timezone: name.slice(0, 60) },
    })
  }
}

/**
 * The first time in (afterMs, untilMs] at which the offset differs from the one at `afterMs`. The offsets at both ends
 * must differ.
 */
export function findTransition(zone: TimeZone, afterMs: number, untilMs: number): number {
  const before = zone.offsetAt(afterMs)
  let low = afterMs
  let high = untilMs
  while (high - low > 1000) {
    const middle = low + Math.floor((high - low) / 2000) * 1000
    if (middle === low) break
    if (zone.offsetAt(middle) === before) low = middle
    else high = middle
  }
  return high
}

/**
 * The time at which clocks in the zone show a local time, which is given in ms as if it were UTC. If clocks show it
 * twice, the first time; if they skip it, the moment of the change. So midnight is always the first moment of its day.
 */
export function instantOfLocal(localMs: number, zone: TimeZone): number {
  const offsetBefore = zone.offsetAt(localMs - DAY_MS)
  const before = localMs - offsetBefore
  if (zone.offsetAt(before) === offsetBefore) return before
  const offsetAfter = zone.offsetAt(localMs + DAY_MS)
  const after = localMs - offsetAfter
  if (zone.offsetAt(after) === offsetAfter) return after
  return findTransition(zone, Math.min(before, after) - DAY_MS / 2, Math.max(before, after))
}
