/**
 * How long an event may take from its own time to the stream before it is late, in ms: clients send what they have gathered every few seconds, and
 * clocks differ. A range whose end lies so far behind the watermark is closed: only a late event can still change it, and each of those is noticed.
 * Both sides of that promise, the consumer and whoever caches answers, must use the same number, so it is no setting.
 */
export const NORMAL_DELAY_MS = 60_000

/** The consumer keeps the notice of a late event at least so long, in ms; nobody may trust an answer that was cached longer ago without looking. */
export const LATE_NOTICES_KEPT_MS = 14 * 86_400_000

/** Redis channel of late events: JSON `{tenant, event, day}`, day as 2026-11-21. The rows of `window_versions` are the truth, a message is only sooner. */
export const LATE_CHANNEL = 'millrace:late'

const NAME_CHARACTERS_MAX = 500

/** The name under which late events of `event` are noticed: its beginning, so that it fits an index entry. */
export function lateNameOf(event: string): string {
  return event.length > NAME_CHARACTERS_MAX ? event.slice(0, NAME_CHARACTERS_MAX) : event
}
