import type { QueryAnswerMeta } from './gen/query-types.js'
import type { Page } from './pages.js'

/** A session of a user. */
export interface Session {
  readonly session_id: string
  /** The user id, or the anonymous id when there is no user id. */
  readonly user_id: string | null
  /** Whether the session has not ended and had an event recently. */
  readonly is_active: boolean
  readonly started_at: string
  /** When the last event of the session happened. */
  readonly last_seen_at: string
  readonly ended_at: string | null
  /** The reason of `$session_end`, or `ended` without one; `idle` for a session that had no events for too long. */
  readonly end_reason: string | null
  readonly device: string | null
  readonly browser: string | null
  readonly os: string | null
  readonly ip: string | null
}

/** An activity of a user. */
export interface Activity {
  readonly message_id: string
  /** The user id, or the anonymous id when there is no user id. */
  readonly user_id: string
  readonly timestamp: string
  readonly action: string
  readonly entity_type: string
  readonly entity_id: string
  readonly metadata: Readonly<Record<string, unknown>>
}

type ListMeta = Pick<QueryAnswerMeta, 'age_ms' | 'watermark' | 'took_ms'> & { readonly source: 'raw' }

/** A page of sessions, newest first. */
export interface SessionsPage extends Page<Session> {
  /** Only on the first page: the number of active sessions, of all users or of the user in the filter. */
  readonly summary?: { readonly active_sessions: number }
  readonly meta: ListMeta
}

/** A page of activities, newest first. */
export interface ActivitiesPage extends Page<Activity> {
  readonly meta: ListMeta
}

interface ListFilter {
  /** Start of the range, inclusive. */
  readonly from?: string | Date | undefined
  /** End of the range, exclusive. */
  readonly to?: string | Date | undefined
  /** Rows per page, 1 to 1000. Default 100. */
  readonly limit?: number | undefined
  /** `next_cursor` of the page after which to start, with the same filter. */
  readonly cursor?: string | undefined
}

/** Selects sessions by their start and other fields. Absent fields select all. */
export interface SessionsFilter extends ListFilter {
  /** true: active sessions; false: ended sessions. */
  readonly active?: boolean | undefined
  readonly user_id?: string | undefined
  readonly session_id?: string | undefined
  readonly device?: string | undefined
  readonly browser?: string | undefined
  readonly os?: string | undefined
}

/** Selects activities. Absent fields select all. */
export interface ActivitiesFilter extends ListFilter {
  readonly user_id?: string | undefined
  readonly action?: string | undefined
  readonly entity_type?: string | undefined
  readonly entity_id?: string | undefined
}
