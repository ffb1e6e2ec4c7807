import type { RejectionCode } from '../events/rejections.js'
import { rejectionReasons } from '../events/rejections.js'

/**
 * The codes with which a whole request with events is refused and which are kept in the list of rejections: something in the request, the key or the
 * rate has to change. Failures of the server (503, 500) are not in it, because clients send those requests again.
 */
const REQUEST_CODES = [
  'MALFORMED_BODY',
  'INVALID_UTF8',
  'INVALID_REQUEST',
  'BODY_TOO_LARGE',
  'BATCH_TOO_LARGE',
  'UNSUPPORTED_ENCODING',
  'CORRUPT_ENCODING',
  'RATE_LIMITED',
  'STREAM_FULL',
  'SCOPE_MISSING',
] as const
type RequestCode = (typeof REQUEST_CODES)[number]

/** Why an event or a whole request was rejected. Codes of events are in lower case, codes of requests in upper case. */
export type KeptCode = RejectionCode | RequestCode

/** Every code that a kept rejection can have. */
export const KEPT_CODES: readonly KeptCode[] = [...(Object.keys(rejectionReasons) as RejectionCode[]), ...REQUEST_CODES]

const requestCodes: ReadonlySet<string> = new Set(REQUEST_CODES)

/** Whether refusals of requests with this code are kept. */
export function isRequestCode(code: string): code is RequestCode {
  return requestCodes.has(code)
}
