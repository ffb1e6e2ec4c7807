import type { Verdict } from '../events/event-desk.js'
import type { Rejection } from '../events/rejections.js'

/** What became of the accepted events, where the caller waited for it. Counts, as in GET /v1/receipts. */
export interface Outcome {
  state: 'in_flight' | 'settled'
  stored: number
  duplicate: number
  dead_lettered: number
  in_flight: number
}

/**
 * The answer to a request with events as JSON text: `{success, receipt, accepted, rejected: [{index, messageId, code, reason}]}`, and for
 * the native address `events`, a verdict each in order, and `outcome` for `?wait=stored`. success is false only when all were refused.
 */
export function describeVerdict(verdict: Verdict, receipt: string, outcome?: Outcome | 'unknown'): string {
  const { accepted, rejected, messageIds } = verdict
  const success = accepted > 0 || rejected.length === 0
  const refusals = rejected.length === 0 ? '[]' : JSON.stringify(rejected)
  const head = `{"success":${success},"receipt":"${receipt}","accepted":${accepted},"rejected":${refusals}`
  const events = messageIds === undefined ? '' : `,"events":${JSON.stringify(listEvents(messageIds, rejected))}`
  return `${head}${events}${outcome === undefined ? '' : `,"outcome":${JSON.stringify(outcome)}`}}`
}

function listEvents(messageIds: readonly (string | null)[], rejected: readonly Rejection[]): object[] {
  const refusals = new Map(rejected.map((rejection) => [rejection.index, rejection]))
  return messageIds.map((messageId, index) => {
    const refusal = refusals.get(index)
    if (refusal === undefined) return { index, messageId, verdict: 'accepted' }
    return { index, messageId, verdict: 'rejected', code: refusal.code, reason: refusal.reason }
  })
}
