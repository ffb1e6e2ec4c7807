import { EVENT_TYPES } from './record-batch.js'

/** A row of the table `events`, as far as the public JSON of an event shows it. */
export interface StoredEvent {
  readonly message_id: string
  /** Index in EVENT_TYPES. */
  readonly type: number
  readonly event: string
  readonly user_id: string | null
  readonly anonymous_id: string | null
  /** Microseconds since 1970. */
  readonly timestamp_us: bigint
  readonly received_at: Date
  /** JSON text. */
  readonly properties: string | null
  /** JSON text. */
  readonly context: string | null
  readonly partition: number
  readonly position: bigint
}

/**
 * A stored event as JSON, in the form of `GET /api/v1/events`. Properties and context are copied as PostgreSQL prints
 * them, without being parsed.
 */
export function toEventJson(row: StoredEvent): string {
  const head = JSON.stringify({
    message_id: row.message_id,
    type: EVENT_TYPES[row.type] ?? null,
    event: row.event,
    user_id: row.user_id,
    anonymous_id: row.anonymous_id,
    timestamp: new Date(Number(row.timestamp_us) / 1000).toISOString(),
    received_at: row.received_at.toISOString(),
  })
  const tail = `"properties":${row.properties ?? 'null'},"context":${row.context ?? 'null'},"partition":${row.partition},"position":${row.position}`
  return `${head.slice(0, -1)},${tail}}`
}
