import type { Step } from '@millrace/database'
import { type TypedEvent, textOf, userOf } from './typed-event.js'

/** Everything a batch says about one session. Times in ms. */
interface Session {
  tenantId: number
  sessionId: string
  userId: string | null
  firstMs: number
  startedMs: number | null
  lastSeenMs: number
  endedMs: number | null
  endReason: string | null
  event: TypedEvent
}

/**
 * Writes one row for each session, independent of the order of its events. A session starts at the time of its
 * `$session_start`, or else at its first event. Every typed event that names the session moves last_seen_at; an event
 * after the end of an idle session opens it again. Rows are in key order, so that two writers cannot deadlock.
 */
export function sessionStep(events: readonly TypedEvent[]): Step | null {
  const sessions = mergeSessions(events)
  if (sessions.length === 0) return null
  return {
    name: 'merge_sessions',
    text: `insert into user_sessions as s (tenant_id, session_id, user_id, started_at, last_seen_at, ended_at, end_reason, device_type, browser, os, ip)
           select t, i, u, to_timestamp(coalesce(st, f) / 1000), to_timestamp(l / 1000), to_timestamp(e / 1000), er, d, b, o, ip
           from unnest($1::integer[], $2::text[], $3::text[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::text[],
             $9::text[], $10::text[], $11::text[], $12::text[]) as r (t, i, u, f, st, l, e, er, d, b, o, ip)
           on conflict (tenant_id, session_id) do update set
             user_id = coalesce(s.user_id, excluded.user_id),
             started_at = least(s.started_at, excluded.started_at),
             last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
             ended_at = case when excluded.ended_at is not null then excluded.ended_at
                             when s.end_reason = 'idle' and excluded.last_seen_at > s.ended_at then null else s.ended_at end,
             end_reason = case when excluded.ended_at is not null then excluded.end_reason
                               when s.end_reason = 'idle' and excluded.last_seen_at > s.ended_at then null else s.end_reason end,
             device_type = coalesce(s.device_type, excluded.device_type), browser = coalesce(s.browser, excluded.browser),
             os = coalesce(s.os, excluded.os), ip = coalesce(s.ip, excluded.ip)`,
    values: [
      sessions.map((s) => s.tenantId),
      sessions.map((s) => s.sessionId),
      sessions.map((s) => s.userId),
      sessions.map((s) => s.firstMs),
      sessions.map((s) => s.startedMs),
      sessions.map((s) => s.lastSeenMs),
      sessions.map((s) => s.endedMs),
      sessions.map((s) => s.endReason),
      sessions.map((s) => s.event.client.deviceType),
      sessions.map((s) => s.event.client.browser),
      sessions.map((s) => s.event.client.os),
      sessions.map((s) => s.event.ip),
    ],
  }
}

function mergeSessions(events: readonly TypedEvent[]): Session[] {
  const sessions = new Map<string, Session>()
  for (const event of events) {
    const { sessionId, row } = event
    if (sessionId === null) continue
    const key = `${row.tenantId} ${sessionId}`
    const session = sessions.get(key) ?? newSession(event, sessionId)
    sessions.set(key, session)
    session.userId ??= userOf(row)
    session.firstMs = Math.min(session.firstMs, row.timestampMs)
    session.lastSeenMs = Math.max(session.lastSeenMs, row.timestampMs)
    if (row.event === '$session_start')
      session.startedMs = Math.min(session.startedMs ?? row.timestampMs, row.timestampMs)
    if (row.event === '$session_end') {
      session.endedMs = row.timestampMs
      session.endReason = textOf(event.properties, 'end_reason', 'endReason', 'reason') ?? 'ended'
    }
  }
  return [...sessions.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, session]) => session)
}

function newSession(event: TypedEvent, sessionId: string): Session {
  const { tenantId, timestampMs } = event.row
  return {
    tenantId,
    sessionId,
    userId: null,
    firstMs: timestampMs,
    startedMs: null,
    lastSeenMs: timestampMs,
    endedMs: null,
    endReason: null,
    event,
  }
}
