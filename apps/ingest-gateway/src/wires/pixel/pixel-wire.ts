import { EVENT_TYPES } from '@millrace/contracts'
import { locateSingle } from '../../events/event-body.js'
import { fieldsToJson } from '../form-fields.js'
import { countsResponse } from '../response-form.js'
import { segmentEvents } from '../segment-events.js'
import type { Wire, WireLimits, WireRoute } from '../wire.js'

/** A transparent image of 1 × 1 pixels. */
const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64')

/**
 * Images that count as events, for e-mails and pages without scripts: GET with the event and its key in the URL (fieldsToJson), as
 * Segment (https://segment.com/docs/connections/sources/catalog/libraries/server/pixel-tracking-api/) and RudderStack take them.
 * Every response is the image, so that no mail shows a broken one; the status says what became of the event.
 */
export function createPixelWire({ segmentBytesMax }: WireLimits): Wire {
  return {
    name: 'pixel',
    routes: [
      ...EVENT_TYPES.map((type) => createRoute(`/v1/pixel/${type}`, type)),
      createRoute('/pixel/v1/track', 'track'),
      createRoute('/pixel/v1/page', 'page'),
    ],
    query: 'any',
    bodyBytesMax: segmentBytesMax,
    bodyBytesSetting: 'SEGMENT_BODY_BYTES_MAX',
    encodings: [],
    format: segmentEvents,
    response: countsResponse,
    fixedBody: { contentType: 'image/gif', bytes: GIF },
  }
}

function createRoute(path: string, type: (typeof EVENT_TYPES)[number]): WireRoute {
  const pathType = EVENT_TYPES.indexOf(type)
  return {
    path,
    method: 'GET',
    keyParameter: 'writeKey',
    toBody({ url }) {
      const query = url.indexOf('?')
      const json = Buffer.from(fieldsToJson(new URLSearchParams(query < 0 ? '' : url.slice(query + 1))))
      return { chunks: [json], bytes: json.length, prefixBytes: 0, pathType, locate: locateSingle }
    },
  }
}
