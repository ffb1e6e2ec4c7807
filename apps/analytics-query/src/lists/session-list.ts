import type { ListSessionsRequest } from '@millrace/contracts'
import type { Statement } from '@millrace/database'
import { SqlValues } from '../sql/sql-values.js'
import { filterText, type ListQuery, parseListQuery } from './list-query.js'
import { type Condition, equal, type ListConditions, type ListTable, type StepRow } from './list-statement.js'

/** Null for conditions that the request does not have. */
export interface SessionsQuery extends ListQuery {
  readonly active: boolean | null
  readonly userId: string | null
  readonly sessionId: string | null
  readonly device: string | null
  readonly browser: string | null
  readonly os: string | null
}

export interface SessionRow extends StepRow {
  readonly user_id: string | null
  readonly started_at: Date
  readonly last_seen_at: Date
  readonly ended_at: Date | null
  readonly end_reason: string | null
  readonly device_type: string | null
  readonly browser: string | null
  readonly os: string | null
  readonly ip: string | null
}

/**
 * Ordered by start, which hardly ever changes. Ordered by the last event, sessions would move between pages while a
 * client reads them.
 */
export const SESSIONS: ListTable = {
  name: 'user_sessions',
  time: 'started_at',
  id: 'session_id',
  columns: 't.user_id, t.started_at, t.last_seen_at, t.ended_at, t.end_reason, t.device_type, t.browser, t.os, t.ip',
}

/** `position` is the cursor without its binding. @throws as parseListQuery and filterText */
export function parseSessionsQuery(request: ListSessionsRequest, position: string): SessionsQuery {
  return {
    ...parseListQuery(request, position),
    active: request.active ?? null,
    userId: filterText(request.userId, 'user_id'),
    sessionId: filterText(request.sessionId, 'session_id'),
    device: filterText(request.device, 'device'),
    browser: filterText(request.browser, 'browser'),
    os: filterText(request.os, 'os'),
  }
}

const isActive: Condition = () => 't.ended_at is null'
const isEnded: Condition = () => 't.ended_at is not null'

/**
 * Reads the primary key for one session, the index user_sessions_user for a user, else user_sessions_active_start for
 * active sessions, user_sessions_ended_start for ended ones, or both.
 */
export function sessionConditions(tenantId: number, query: SessionsQuery): ListConditions {
  const { active, userId, sessionId, device, browser, os } = query
  const state = active === null ? [] : [active ? isActive : isEnded]
  const fields = equal({ device_type: device, browser, os })
  if (sessionId !== null) {
    const filters = [...state, ...equal({ user_id: userId }), ...fields]
    return { tenantId, walks: [equal({ session_id: sessionId })], isOfEverybody: false, filters }
  }
  if (userId !== null) {
    return { tenantId, walks: [equal({ user_id: userId })], isOfEverybody: false, filters: [...state, ...fields] }
  }
  return { tenantId, walks: active === null ? [[isActive], [isEnded]] : [state], isOfEverybody: true, filters: fields }
}

/**
 * Counts active sessions: of the tenant by the index user_sessions_active_start, 0.2 us per session, or of one user by
 * user_sessions_user. The order is needed only to make the planner use that index; otherwise it might read the sessions
 * of all tenants by user_sessions_active, which is smaller.
 */
export function activeSessionsStatement(tenantId: number, { userId }: Pick<SessionsQuery, 'userId'>): Statement {
  const values = new SqlValues()
  const conditions = [isActive, ...equal({ user_id: userId })].map((condition) => condition(values))
  const where = [`t.tenant_id = ${values.add(tenantId, 'integer')}`, ...conditions].join(' and ')
  const order = userId === null ? 'order by t.started_at desc nulls last offset 0' : ''
  return {
    text: `select count(*) as active from (select from user_sessions t where ${where} ${order}) t`,
    values: values.list,
  }
}

/** A session as JSON of the public API. */
export function toSessionJson(row: SessionRow): string {
  return JSON.stringify({
    session_id: row.id,
    user_id: row.user_id,
    is_active: row.ended_at === null,
    started_at: row.started_at,
    last_seen_at: row.last_seen_at,
    ended_at: row.ended_at,
    end_reason: row.end_reason,
    device: row.device_type,
    browser: row.browser,
    os: row.os,
    ip: row.ip,
  })
}
