import type { QueryFilter } from './gen/query-types.js'

/** An event to be sent. Field names may also be in snake case. */
export interface EventInput {
  /** Default track. */
  readonly type?: 'track' | 'identify' | 'page' | 'screen' | 'group' | 'alias' | undefined
  /** Name of a track event. */
  readonly event?: string | undefined
  /** Makes a repeated event a duplicate for 24 hours; made up when absent. */
  readonly messageId?: string | undefined
  /** One of userId and anonymousId is needed. */
  readonly userId?: string | undefined
  readonly anonymousId?: string | undefined
  /** When it happened; default: when it was received. */
  readonly timestamp?: string | Date | undefined
  readonly properties?: Readonly<Record<string, unknown>> | undefined
  readonly traits?: Readonly<Record<string, unknown>> | undefined
  readonly context?: Readonly<Record<string, unknown>> | undefined
  /** Of a page or screen. */
  readonly name?: string | undefined
  readonly groupId?: string | undefined
  readonly previousId?: string | undefined
}

export interface EventCounts {
  readonly stored: number
  /** Known by their message id already. */
  readonly duplicate: number
  readonly dead_lettered: number
  readonly in_flight: number
}

export interface EventOutcome extends EventCounts {
  readonly state: 'in_flight' | 'settled'
}

/** What became of a request with events. */
export interface Acceptance {
  /** false when every event was refused. */
  readonly success: boolean
  /** For `receipt()`. */
  readonly receipt: string
  readonly accepted: number
  readonly rejected: readonly {
    readonly index: number
    readonly messageId: string | null
    readonly code: string
    readonly reason: string
  }[]
  readonly events: readonly {
    readonly index: number
    readonly messageId: string | null
    readonly verdict: 'accepted' | 'rejected'
    readonly code?: string
    readonly reason?: string
  }[]
  /** With `wait: 'stored'`; unknown when nobody could tell in time. */
  readonly outcome?: EventOutcome | 'unknown'
}

/** Where the events of one request are now. */
export interface Receipt extends EventOutcome {
  readonly accepted: number
  readonly frames: readonly {
    readonly partition: number
    readonly sequence: number
    readonly records: number
    readonly settled: boolean
  }[]
}

export interface StoredEvent {
  readonly message_id: string
  readonly type: string
  readonly event: string
  readonly user_id: string | null
  readonly anonymous_id: string | null
  readonly timestamp: string
  readonly received_at: string
  readonly properties: Readonly<Record<string, unknown>> | null
  readonly context: Readonly<Record<string, unknown>> | null
  readonly partition: number
  readonly position: number
}

/** Which stored events are wanted; absent fields do not restrict. */
export interface EventsFilter {
  readonly event?: string | undefined
  /** The user id, or the anonymous id of events without one. */
  readonly user_id?: string | undefined
  readonly message_id?: string | undefined
  /** All must hold, as in queries. Few events that pass them may take several pages to find, some of them empty. */
  readonly filters?: readonly QueryFilter[] | undefined
  /** Inclusive. */
  readonly from?: string | Date | undefined
  /** Exclusive. */
  readonly to?: string | Date | undefined
  /** Events of a page, 1 to 1000. Default 100. */
  readonly limit?: number | undefined
  /** Where to begin: `next_cursor` of a page. */
  readonly cursor?: string | undefined
}

/** Gives each event an id before it is sent, so that a repetition after a failure stores nothing twice. */
export function withMessageIds(events: readonly EventInput[]): readonly EventInput[] {
  return events.map((event) => (hasMessageId(event) ? event : { ...event, messageId: newMessageId() }))
}

function hasMessageId(event: EventInput): boolean {
  return event.messageId !== undefined || 'message_id' in event
}

/** 128 random bits; crypto.randomUUID is missing in pages that were not loaded by HTTPS. */
function newMessageId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
