import type { QueryFilter } from './gen/query-types.js'

/** An event to send. Field names may also be in snake case. */
export interface EventInput {
  /** Default track. */
  readonly type?: 'track' | 'identify' | 'page' | 'screen' | 'group' | 'alias' | undefined
  /** Name of a track event. */
  readonly event?: string | undefined
  /** Events of the same user with an id that was seen in the last 24 hours are duplicates. Default: a new id. */
  readonly messageId?: string | undefined
  /** Either userId or anonymousId is required. */
  readonly userId?: string | undefined
  readonly anonymousId?: string | undefined
  /** When the event happened. Default: when it is received. A number below 10^11 is seconds since 1970, else milliseconds. */
  readonly timestamp?: string | number | Date | undefined
  readonly properties?: Readonly<Record<string, unknown>> | undefined
  readonly traits?: Readonly<Record<string, unknown>> | undefined
  readonly context?: Readonly<Record<string, unknown>> | undefined
  /** Name of a page or screen. */
  readonly name?: string | undefined
  readonly groupId?: string | undefined
  readonly previousId?: string | undefined
}

/** Numbers of events by what became of them. */
export interface EventCounts {
  readonly stored: number
  /** Events with a message id that was seen before. */
  readonly duplicate: number
  readonly dead_lettered: number
  readonly in_flight: number
}

/** What became of the events of a request. Settled means that none is in flight any more. */
export interface EventOutcome extends EventCounts {
  readonly state: 'in_flight' | 'settled'
}

/** The result of a request with events. */
export interface Acceptance {
  /** False when every event was rejected. */
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
  /** Only with `wait: 'stored'`; unknown when it could not be determined in time. */
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

/** A stored event as the lists return it. */
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

/** Selects stored events. Absent fields select all. */
export interface EventsFilter {
  readonly event?: string | undefined
  /** The user id, or the anonymous id of events without a user id. */
  readonly user_id?: string | undefined
  readonly message_id?: string | undefined
  /** All must match, as in queries. When few events match, pages may be short or empty before the last one. */
  readonly filters?: readonly QueryFilter[] | undefined
  /** Start of the range, inclusive. */
  readonly from?: string | Date | undefined
  /** End of the range, exclusive. */
  readonly to?: string | Date | undefined
  /** Events per page, 1 to 1000. Default 100. */
  readonly limit?: number | undefined
  /** `next_cursor` of the page after which to start. */
  readonly cursor?: string | undefined
}

/** Gives every event a message id before it is sent, so that a retry stores nothing twice. */
export function withMessageIds(events: readonly EventInput[]): readonly EventInput[] {
  return events.map((event) => (hasMessageId(event) ? event : { ...event, messageId: newMessageId() }))
}

function hasMessageId(event: EventInput): boolean {
  return event.messageId !== undefined || 'message_id' in event
}

/** 128 random bits in hexadecimal. crypto.randomUUID does not exist in pages that were not loaded by HTTPS. */
function newMessageId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
