import { createHash } from 'node:crypto'
import { DAY_MS, lateNameOf } from '@millrace/contracts'
import type { EventNames } from '../query/event-names.js'

/** A tag of every answer, so that an edge can purge all of them at once. */
export const EVERY_ANSWER = 'millrace'

/**
 * An answer that needs more tags is not cached for long: all its tags are checked whenever it is read, and sent to the
 * edge.
 */
const TAGS_MAX = 150
const EVERY_EVENT = 'all'

/**
 * The tags of an answer: for each event name, or for all events together, one tag per UTC day of [fromMs, toMs), where
 * whole months and years have one tag instead of one per day. So a year has 1 tag and no range many more than 60, and
 * late events are matched to the day. Undefined when there are too many tags.
 */
export function tagsOfRange(
  tenantId: number,
  events: EventNames,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): string[] | undefined {
  const names = events === '*' ? [EVERY_EVENT] : events.map(hashOf)
  const periods = periodsOf(fromMs, toMs, Math.floor(TAGS_MAX / Math.max(1, names.length)))
  return periods && names.flatMap((name) => periods.map((period) => `t${tenantId}:${name}:${period}`))
}

/** The tags of all answers that depend on an event of a UTC day (2026-11-21). */
export function tagsOfDay({ tenant, event, day }: { tenant: number; event: string; day: string }): string[] {
  const periods = [day, day.slice(0, 7), day.slice(0, 4)]
  return [hashOf(event), EVERY_EVENT].flatMap((name) => periods.map((period) => `t${tenant}:${name}:${period}`))
}

/** Days, months and years that together are exactly the days of the range. */
function periodsOf(fromMs: number, toMs: number, periodsMax: number): string[] | undefined {
  const periods: string[] = []
  const end = Math.ceil(toMs / DAY_MS) * DAY_MS
  for (let at = Math.floor(fromMs / DAY_MS) * DAY_MS; at < end; ) {
    if (periods.length >= periodsMax) return undefined
    const date = new Date(at)
    const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
    const nextYear = startOf(year + 1, 0)
    const nextMonth = startOf(year, month + 1)
    const isYear = day === 1 && month === 0 && nextYear <= end
    const isMonth = day === 1 && nextMonth <= end
    periods.push(date.toISOString().slice(0, isYear ? 4 : isMonth ? 7 : 10))
    at = isYear ? nextYear : isMonth ? nextMonth : at + DAY_MS
  }
  return periods
}

/** `Date.UTC` would read years up to 99 as 19xx. */
function startOf(year: number, month: number): number {
  return new Date(0).setUTCFullYear(year, month, 1)
}

/** Event names may hold any character, but tags are sent in a header. */
function hashOf(event: string): string {
  return createHash('sha256').update(lateNameOf(event)).digest('base64url').slice(0, 12)
}
