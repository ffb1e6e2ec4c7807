import { EVENT_TYPES } from '@millrace/contracts'
import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import { type LocateEvents, locateEnvelope, locateSingle } from '../../events/event-body.js'
import { countsResponse } from '../response-form.js'
import { segmentEvents } from '../segment-events.js'
import type { Wire, WireLimits, WireRoute } from '../wire.js'

/** The wire of Segment's and RudderStack's SDKs: /v1/batch and one path for each type of event. The content type is ignored. */
export function createSegmentWire({ segmentBytesMax }: WireLimits): Wire {
  return {
    name: 'segment',
    routes: [
      route('/v1/batch', locateEnvelope, -1),
      ...EVENT_TYPES.map((type, index) => route(`/v1/${type}`, locateSingle, index)),
    ],
    bodyBytesMax: segmentBytesMax,
    encodings: CONTENT_ENCODINGS,
    format: segmentEvents,
    response: countsResponse,
  }
}

function route(path: string, locate: LocateEvents, pathType: number): WireRoute {
  return {
    path,
    toBody: ({ chunks, bytes }) => ({ chunks, bytes, prefixBytes: 0, pathType, locate }),
  }
}
