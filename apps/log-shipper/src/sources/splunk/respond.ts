import type { MillraceError } from '@millrace/contracts'
import type { SourceOutcome, SourceRefusal, SourceResponse } from '../../intake/http-source.js'
import { SPLUNK_FAULTS } from './decode.js'

/** Texts and codes of Splunk's HTTP Event Collector. */
const ANSWERS = {
  success: [0, 'Success'],
  keyMissing: [2, 'Token is required'],
  keyInvalid: [4, 'Invalid token'],
  noData: [5, 'No data'],
  format: [6, SPLUNK_FAULTS.format],
  internal: [8, 'Internal server error'],
  busy: [9, 'Server is busy'],
  channelMissing: [10, 'Data channel is missing'],
  required: [12, SPLUNK_FAULTS.required],
  blank: [13, SPLUNK_FAULTS.blank],
  fields: [15, SPLUNK_FAULTS.fields],
  healthy: [17, 'HEC is healthy'],
  unhealthy: [18, 'HEC is unhealthy, queues are full'],
} as const
type Answer = keyof typeof ANSWERS

/** A response with a code of Splunk and further members. */
export function answer(status: number, name: Answer, more: object = {}): SourceResponse {
  const [code, text] = ANSWERS[name]
  return json(status, { text, code, ...more })
}

/** A response with this value. */
export function json(status: number, value: unknown): SourceResponse {
  return { status, contentType: 'application/json; charset=UTF-8', body: JSON.stringify(value) }
}

/** The response to a request whose events were read, of which there are `events`. `ackId` is undefined for a client that asked for none. */
export function respondTaken(
  { rejections }: SourceOutcome,
  { events, ackId }: { readonly events: number; readonly ackId: number | undefined },
): SourceResponse {
  if (events === 0) return answer(400, 'noData')
  const [first] = rejections
  if (first === undefined) return answer(200, 'success', ackId === undefined ? {} : { ackId })
  const fault = (['required', 'blank', 'fields'] as const).find((name) => first.reason === SPLUNK_FAULTS[name])
  return answer(400, fault ?? 'format', { 'invalid-event-number': first.index })
}

/** The response to a request that was refused whole. */
export function respondRefused({ error, status, detail }: SourceRefusal): SourceResponse {
  return answer(status, nameOf(error, status), { detail: `${error.code}: ${detail}` })
}

function nameOf({ code }: MillraceError, status: number): Answer {
  if (code === 'KEY_MISSING') return 'keyMissing'
  if (status === 401 || status === 403) return 'keyInvalid'
  if (status === 429 || status === 503) return 'busy'
  return status >= 500 ? 'internal' : 'format'
}
