import type { KeptCode } from './rejection-codes.js'

/** Bytes of an event or a body that are copied for its excerpt. */
export const DRAFT_BYTES_MAX = 8192

/** A rejection that was noted while its request was handled: copies of parts of the request's buffer, not masked yet. */
export interface RejectionDraft {
  readonly tenantId: number
  readonly atMs: number
  readonly scope: 'event' | 'request'
  readonly wire: string
  readonly path: string
  readonly code: KeptCode
  readonly reason: string
  /** Position of the event in its request, from 0. */
  readonly index: number | null
  readonly userAgent: string | null
  readonly event: EventHead
  /** The first bytes of the event, or of the body; undefined when they are not known or not text. */
  readonly bytes: Buffer | undefined
  /** Size of the whole event or body. */
  readonly size: number
  /** Rejections with the same tenant and code that were not kept since the one before. */
  readonly omitted: number
}

/** The fields by which a rejected event is recognised; null where the event does not have one that can be read. */
export interface EventHead {
  readonly messageId: string | null
  readonly type: string | null
  readonly name: string | null
  readonly userId: string | null
  readonly anonymousId: string | null
  /** The context of the event, or of its envelope, as JSON text. */
  readonly context: string | null
}

/** Of a request that is refused whole. */
export const NO_EVENT: EventHead = {
  messageId: null,
  type: null,
  name: null,
  userId: null,
  anonymousId: null,
  context: null,
}
