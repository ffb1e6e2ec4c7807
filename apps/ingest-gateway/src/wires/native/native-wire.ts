import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import { locateAny, locateLines } from '../../events/event-body.js'
import { eventListQuery, eventListResponse } from '../response-form.js'
import { segmentEvents } from '../segment-events.js'
import type { Wire, WireLimits } from '../wire.js'

const LINES = /ndjson|jsonl|json-lines|x-json-stream/i

/** Millrace's own wire: /v1/events with JSON or NDJSON, and a verdict for each event in the response. */
export function createNativeWire({ eventsBytesMax }: WireLimits): Wire {
  return {
    name: 'native',
    routes: [
      {
        path: '/v1/events',
        toBody({ headers, chunks, bytes }) {
          const locate = LINES.test(headers['content-type'] ?? '') ? locateLines : locateAny
          return { chunks, bytes, prefixBytes: 0, pathType: -1, locate }
        },
      },
    ],
    query: eventListQuery,
    bodyBytesMax: eventsBytesMax,
    bodyBytesSetting: 'EVENTS_BODY_BYTES_MAX',
    encodings: CONTENT_ENCODINGS,
    format: segmentEvents,
    response: eventListResponse,
  }
}
