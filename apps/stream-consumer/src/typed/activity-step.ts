import type { Step } from '@millrace/database'
import { type TypedEvent, textOf, userOf } from './typed-event.js'

const UNKNOWN = 'unknown'

/** One row for each `$activity`. Missing names are 'unknown'. */
export function activityStep(activities: readonly TypedEvent[]): Step {
  return {
    name: 'add_activities',
    text: `insert into activity_logs (tenant_id, message_id, user_id, "timestamp", action, entity_type, entity_id, metadata)
           select t, m, u, to_timestamp(at / 1000), a, et, ei, md::jsonb
           from unnest($1::integer[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[])
             as r (t, m, u, at, a, et, ei, md)`,
    values: [
      activities.map(({ row }) => row.tenantId),
      activities.map(({ row }) => row.messageId),
      activities.map(({ row }) => userOf(row) ?? UNKNOWN),
      activities.map(({ row }) => row.timestampMs),
      activities.map(({ properties }) => textOf(properties, 'action') ?? UNKNOWN),
      activities.map(({ properties }) => textOf(properties, 'entity_type', 'entityType') ?? UNKNOWN),
      activities.map(({ properties }) => textOf(properties, 'entity_id', 'entityId') ?? UNKNOWN),
      activities.map(({ properties }) => JSON.stringify(objectOrEmpty(properties.metadata))),
    ],
  }
}

function objectOrEmpty(value: unknown): object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}
