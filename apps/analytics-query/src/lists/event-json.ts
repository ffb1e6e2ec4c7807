import { EVENT_TYPES } from '@millrace/contracts'
import type { EventRow } from './events-statements.js'

/**
 * An event as JSON of the public API. Properties and context are copied as PostgreSQL prints them, without being
 * parsed.
 */
export function toEventJson(row: EventRow): string {
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
