import { CONTENT_ENCODINGS, type IntakeRoute } from '@millrace/http-intake'

/** SDKs send a few kilobytes at most. */
const BODY_BYTES_MAX = 65_536

/**
 * POST /v1/m, to which Segment's SDKs report counters about themselves, without a key and without the user's data. They are dropped: an error
 * here would appear in the consoles of browsers and make some SDKs try again.
 */
export const clientMetricsRoute: IntakeRoute = {
  path: '/v1/m',
  scope: 'write',
  keyIn: 'nowhere',
  bodyBytesMax: BODY_BYTES_MAX,
  encodings: CONTENT_ENCODINGS,
  handle: (request) => request.respond('{"success":true}'),
}
