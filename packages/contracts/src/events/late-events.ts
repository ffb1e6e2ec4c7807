import { DAY_MS, MINUTE_MS } from '../time/durations.js'

/**
 * An event that reaches the stream later than this after its own time is late, in ms. Clients send events every few seconds, and clocks differ. A
 * range that ends at least this long before the watermark is closed: only late events can still change it, and a notice is kept of each of them.
 * The consumer and every answer cache must use the same number, so it is not a setting.
 */
export const NORMAL_DELAY_MS = MINUTE_MS

/** The consumer keeps the notice of a late event for at least this long, in ms. An answer that was cached earlier must be checked before use. */
export const LATE_NOTICES_KEPT_MS = 14 * DAY_MS

/** The UTC day of a late event: the message on the channel for late events, and the key of `window_versions`. */
export interface LateDay {
  readonly tenant: number
  /** The name that `lateNameOf` returns. */
  readonly event: string
  /** For example 2026-11-21. */
  readonly day: string
}

const NAME_CHARACTERS_MAX = 500

/** The name under which notices of late events are kept: the first 500 characters of the event's name, so that it fits into an index entry. */
export function lateNameOf(event: string): string {
  return event.length > NAME_CHARACTERS_MAX ? event.slice(0, NAME_CHARACTERS_MAX) : event
}
