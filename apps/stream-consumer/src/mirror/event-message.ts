import { EVENT_TYPES, toEventJson } from '@millrace/contracts'
import type { TopicMessage } from '@millrace/streams'
import type { MirroredEvent } from './read-stored-events.js'

/**
 * The Kafka message of an event. The value is the JSON of `GET /api/v1/events` with the name of the tenant in front. The key names tenant and user, so that
 * all events of a user are in one partition of the topic. Consumers that drop repeats compare the header message_id together with the key, or `partition`
 * and `position` of the value.
 */
export function toEventMessage(event: MirroredEvent, tenant: string): TopicMessage {
  const name = JSON.stringify(tenant)
  const omitted = event.is_omitted ? '"omitted":["properties","context"],' : ''
  return {
    key: Buffer.from(`${tenant}:${event.user_id ?? event.anonymous_id ?? ''}`),
    value: Buffer.from(`{"tenant":${name},${omitted}${toEventJson(event).slice(1)}`),
    headers: { message_id: event.message_id, tenant, type: EVENT_TYPES[event.type] ?? '' },
  }
}
