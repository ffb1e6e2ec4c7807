import { DAY_MS, MINUTE_MS } from '../time/durations.js'

/**
 * How long an event may take from its own time to the stream before it counts as late, in ms: clients send events every few seconds, and clocks
 * differ. A range whose end lies this far behind the watermark is closed: only a late event can still change it, and each late event is noticed.
 * The consumer and every cache of answers must use the same number, so it is no setting.
 */
export const NORMAL_DELAY_MS = MINUTE_MS

/** The consumer keeps the notice of a late event for at least this long, in ms. An answer that was cached earlier must be checked before use. */
export const LATE_NOTICES_KEPT_MS = 14 * DAY_MS

/** A UTC day on which a late event of a tenant lies: the message of the channel for late events and the key of `window_versions`. */
export interface LateDay {
  readonly tenant: number
  /** As `lateNameOf` gives it. */
  readonly event: string
  /** For example 2026-11-21. */
  readonly day: string
}

const NAME_CHARACTERS_MAX = 500

/** The name under which late events of `event` are noticed: the first 500 characters, so that it fits an index entry. */
export function lateNameOf(event: string): string {
  return event.length > NAME_CHARACTERS_MAX ? event.slice(0, NAME_CHARACTERS_MAX) : event
}
