/** Redis pub/sub channels between services. Messages may be lost; every subscriber also has a slower way to learn the same facts. */
export const CHANNELS = {
  /** The id of an API key that was created, changed or revoked. */
  apiKeys: 'millrace:keys',
  /** JSON of a consumer's commit: which frames are now in PostgreSQL. */
  committed: 'millrace:committed',
  /** JSON with the number of events per tenant in the last second. */
  liveCounts: 'millrace:live',
  /** JSON `{tenant, event, day}` of a late event, day as 2026-11-21. The rows of `window_versions` are authoritative. */
  lateEvents: 'millrace:late',
} as const

/** The channel on which the processes that share a cache tell each other that an entry was invalidated. The message is the namespace. */
export function cacheChannel(cache: string): string {
  return `millrace:cache:${cache}`
}
