import type { Step } from '@millrace/database'
import { type SessionFacts, sessionFactsOf } from './session-facts.js'
import type { TypedEvent } from './typed-event.js'

/**
 * Conditions under which the value of the batch replaces that of the row, null or false when it does not. They are the
 * orders of `session-facts.ts`. A row from before the columns `user_at`, `client_at` and `ip_at` has null in them: a
 * comparison with null is null, so such a row keeps its values, except that a user id replaces its user, which may be an
 * anonymous id.
 */
const REPLACES = {
  end: `excluded.last_seen_at > s.last_seen_at or excluded.ended_at = s.last_seen_at and (s.end_reason is null
               or (excluded.end_reason = 'idle', excluded.end_reason collate "C") < (s.end_reason = 'idle', s.end_reason collate "C"))`,
  user: `s.user_id is null or (excluded.user_is_anonymous, excluded.user_at, excluded.user_id)
               < (coalesce(s.user_is_anonymous, true), s.user_at, s.user_id)`,
  client: `excluded.client_at is not null and (coalesce(s.device_type, s.browser, s.os) is null or excluded.client_at < s.client_at
               or excluded.client_at = s.client_at
               and (coalesce(excluded.device_type, '') collate "C", coalesce(excluded.browser, '') collate "C", coalesce(excluded.os, '') collate "C")
                 < (coalesce(s.device_type, '') collate "C", coalesce(s.browser, '') collate "C", coalesce(s.os, '') collate "C"))`,
  ip: `s.ip is null or excluded.ip_at < s.ip_at or excluded.ip_at = s.ip_at and excluded.ip collate "C" < s.ip collate "C"`,
} as const

const COLUMNS: Readonly<Record<keyof typeof REPLACES, readonly string[]>> = {
  end: ['ended_at', 'end_reason'],
  user: ['user_id', 'user_is_anonymous', 'user_at'],
  client: ['device_type', 'browser', 'os', 'client_at'],
  ip: ['ip', 'ip_at'],
}

const MERGE = (Object.keys(COLUMNS) as (keyof typeof COLUMNS)[]).flatMap((group) =>
  COLUMNS[group].map(
    (column) => `${column} = case when ${REPLACES[group]} then excluded.${column} else s.${column} end`,
  ),
)

/**
 * Writes one row for each session. The row depends only on the set of the session's events, not on their order, nor on
 * how they are split over batches, partitions and consumers: the statement merges what the row has and what the batch
 * has by the rules of `session-facts.ts`. An event that comes twice changes nothing. Rows are in key order, so that two
 * writers cannot deadlock.
 */
export function sessionStep(events: readonly TypedEvent[]): Step | null {
  const sessions = sessionFactsOf(events)
  if (sessions.length === 0) return null
  return {
    name: 'merge_sessions',
    text: `insert into user_sessions as s (tenant_id, session_id, started_at, last_seen_at, ended_at, end_reason, user_id, user_is_anonymous, user_at,
             device_type, browser, os, client_at, ip, ip_at)
           select t, i, to_timestamp(st / 1000), to_timestamp(l / 1000), case when er is not null then to_timestamp(l / 1000) end, er, u, ua, to_timestamp(um / 1000),
             d, b, o, to_timestamp(cm / 1000), ip, to_timestamp(im / 1000)
           from unnest($1::integer[], $2::text[], $3::float8[], $4::float8[], $5::text[], $6::text[], $7::boolean[], $8::float8[],
             $9::text[], $10::text[], $11::text[], $12::float8[], $13::text[], $14::float8[]) as r (t, i, st, l, er, u, ua, um, d, b, o, cm, ip, im)
           on conflict (tenant_id, session_id) do update set
             started_at = least(s.started_at, excluded.started_at), last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
             ${MERGE.join(',\n             ')}`,
    values: [
      sessions.map(({ tenantId }) => tenantId),
      sessions.map(({ sessionId }) => sessionId),
      sessions.map(({ startedMs }) => startedMs),
      sessions.map(({ lastSeenMs }) => lastSeenMs),
      sessions.map(({ endReason }) => endReason),
      ...userValues(sessions),
      ...clientValues(sessions),
      sessions.map(({ ip }) => ip?.address ?? null),
      sessions.map(({ ip }) => ip?.atMs ?? null),
    ],
  }
}

function userValues(sessions: readonly SessionFacts[]): unknown[][] {
  return [
    sessions.map(({ user }) => user?.id ?? null),
    sessions.map(({ user }) => user?.isAnonymous ?? null),
    sessions.map(({ user }) => user?.atMs ?? null),
  ]
}

function clientValues(sessions: readonly SessionFacts[]): unknown[][] {
  return [
    sessions.map(({ client }) => client?.deviceType ?? null),
    sessions.map(({ client }) => client?.browser ?? null),
    sessions.map(({ client }) => client?.os ?? null),
    sessions.map(({ client }) => client?.atMs ?? null),
  ]
}
