// The part in braces is the hash tag of Redis Cluster: keys with the same tag lie on one node.

/** The Redis stream that holds the frames of one partition. */
export function streamKey(stream: string, partition: number): string {
  return `millrace:{${stream}:${partition}}`
}

/** Prefix of every key of one cache namespace. All keys of a namespace are on one node, because scripts read several of them at once. */
export function cacheKeyPrefix(cache: string, namespace: string): string {
  return `millrace:cache:{${cache}:${namespace}}:`
}

/** Pattern for SCAN: the hash of every cache entry, with the value in field `v` and its encoding in field `c`. */
export const CACHE_ENTRY_PATTERN = 'millrace:cache:*:entry:*'

/** A token bucket of a tenant: a hash with the fields `tokens` and `at`. The bucket for events has no name. */
export function rateLimitKey(tenantId: number, bucket?: string): string {
  return bucket === undefined ? `millrace:limit:{${tenantId}}` : `millrace:limit:${bucket}:{${tenantId}}`
}

/** The most recent rejections of a tenant: a stream whose entries have one field, JSON. */
export function rejectionsKey(tenantId: number): string {
  return `millrace:rejections:{${tenantId}}`
}

/** The key and the tenant that a ticket for live streams stands for, as JSON; by the hash of the ticket. */
export function liveTicketKey(hash: string): string {
  return `millrace:live-ticket:{${hash}}`
}

/** Up to which late event the answer cache of this name has been invalidated. */
export function lateCursorKey(cache: string): string {
  return `millrace:${cache}:late-cursor`
}

/** The most frequent queries, which an answer cache of this name refreshes first. */
export function popularQueriesKey(cache: string): string {
  return `millrace:${cache}:popular`
}
