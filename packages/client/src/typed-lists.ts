import type { QueryAnswerMeta } from './gen/query-types.js'
import type { Page } from './pages.js'

export interface Session {
  readonly session_id: string
  /** Or the anonymous id, where there is no user id. */
  readonly user_id: string | null
  /** Whether it goes on: it has not ended, and something was heard of it lately. */
  readonly is_active: boolean
  readonly started_at: string
  /** When the last typed event named it. */
  readonly last_seen_at: string
  readonly ended_at: string | null
  /** What `$session_end` says, else `ended`; `idle` where nothing was heard of it for too long. */
  readonly end_reason: string | null
  readonly device: string | null
  readonly browser: string | null
  readonly os: string | null
  readonly ip: string | null
}

export interface Activity {
  readonly message_id: string
  /** Or the anonymous id, where there is no user id. */
  readonly user_id: string
  readonly timestamp: string
  readonly action: string
  readonly entity_type: string
  readonly entity_id: string
  readonly metadata: Readonly<Record<string, unknown>>
}

type ListMeta = Pick<QueryAnswerMeta, 'age_ms' | 'watermark' | 'took_ms'> & { readonly source: 'raw' }

export interface SessionsPage extends Page<Session> {
  /** On the first page: how many sessions go on now, of everybody or of the user who is asked about. */
  readonly summary?: { readonly active_sessions: number }
  readonly meta: ListMeta
}

export interface ActivitiesPage extends Page<Activity> {
  readonly meta: ListMeta
}

interface ListFilter {
  /** Inclusive. */
  readonly from?: string | Date | undefined
  /** Exclusive. */
  readonly to?: string | Date | undefined
  /** Rows of a page, 1 to 1000. Default 100. */
  readonly limit?: number | undefined
  /** Where to begin: `next_cursor` of a page for the same filter. */
  readonly cursor?: string | undefined
}

/** Which sessions are wanted; absent fields do not restrict. `from` and `to` are of the start. */
export interface SessionsFilter extends ListFilter {
  /** true: those that go on; false: those that are over. */
  readonly active?: boolean | undefined
  readonly user_id?: string | undefined
  readonly session_id?: string | undefined
  readonly device?: string | undefined
  readonly browser?: string | undefined
  readonly os?: string | undefined
}

/** Which activities are wanted; absent fields do not restrict. */
export interface ActivitiesFilter extends ListFilter {
  readonly user_id?: string | undefined
  readonly action?: string | undefined
  readonly entity_type?: string | undefined
  readonly entity_id?: string | undefined
}
