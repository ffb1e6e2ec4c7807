import type { Acceptance } from '../events/event-acceptor.js'
import type { Rejection } from '../events/rejections.js'

/** What became of the accepted events, if the client waited for it. Counts, as in GET /v1/receipts. */
export interface Outcome {
  state: 'in_flight' | 'settled'
  stored: number
  duplicate: number
  dead_lettered: number
  in_flight: number
}

/** An acknowledged request. */
export interface AcknowledgedRequest {
  readonly acceptance: Acceptance
  readonly receipt: string
  /** Only if the client waited; `unknown` when stream-consumer did not say in time. */
  readonly outcome?: Outcome | 'unknown'
}

/** How a wire answers an acknowledged request. */
export interface ResponseForm {
  /** Whether the response contains the message id of each event. */
  readonly needsMessageIds: boolean
  /** Whether the client wants to wait until its events are stored. `url` is path and query. */
  wantsOutcome(url: string): boolean
  /** The response as JSON text. */
  write(request: AcknowledgedRequest): string
}

/**
 * `{success, receipt, accepted, rejected: [{index, messageId, code, reason}]}`. success is false only when all events were rejected.
 */
export const countsResponse: ResponseForm = {
  needsMessageIds: false,
  wantsOutcome: () => false,
  write: (request) => `{${writeCounts(request)}}`,
}

/** The query parameters of wires that answer with eventListResponse. */
export const eventListQuery = [{ name: 'wait', isRequired: false, allowed: ['stored'] }] as const

/**
 * The same with `events`, one verdict for each event in order, and for `?wait=stored` with `outcome`.
 */
export const eventListResponse: ResponseForm = {
  needsMessageIds: true,
  wantsOutcome(url) {
    const query = url.indexOf('?')
    return query >= 0 && new URLSearchParams(url.slice(query + 1)).get('wait') === 'stored'
  },
  write(request) {
    const { messageIds = [], rejected } = request.acceptance
    const outcome = request.outcome === undefined ? '' : `,"outcome":${JSON.stringify(request.outcome)}`
    return `{${writeCounts(request)},"events":${JSON.stringify(listEvents(messageIds, rejected))}${outcome}}`
  },
}

function writeCounts({ acceptance: { accepted, rejected }, receipt }: AcknowledgedRequest): string {
  const isSuccess = accepted > 0 || rejected.length === 0
  const rejections = rejected.length === 0 ? '[]' : JSON.stringify(rejected)
  return `"success":${isSuccess},"receipt":"${receipt}","accepted":${accepted},"rejected":${rejections}`
}

function listEvents(messageIds: readonly (string | null)[], rejected: readonly Rejection[]): object[] {
  const byIndex = new Map(rejected.map((rejection) => [rejection.index, rejection]))
  return messageIds.map((messageId, index) => {
    const rejection = byIndex.get(index)
    if (rejection === undefined) return { index, messageId, verdict: 'accepted' }
    return { index, messageId, verdict: 'rejected', code: rejection.code, reason: rejection.reason }
  })
}
