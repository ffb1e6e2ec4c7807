import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import { errors } from '../../errors.js'
import { type LocateEvents, locateList, locateSingle } from '../../events/event-body.js'
import { eventListQuery, eventListResponse } from '../response-form.js'
import type { ReceivedBody, Wire, WireLimits } from '../wire.js'
import { toStructured } from './binary-mode.js'
import { cloudEvents } from './cloudevents-format.js'

/**
 * CloudEvents 1.0 over HTTP (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md) in all three
 * modes: structured and batch as JSON, binary with any content type. The key is in the Authorization header.
 */
export function createCloudEventsWire({ eventsBytesMax }: WireLimits): Wire {
  return {
    name: 'cloudevents',
    routes: [{ path: '/v1/cloudevents', toBody }],
    query: eventListQuery,
    bodyBytesMax: eventsBytesMax,
    bodyBytesSetting: 'EVENTS_BODY_BYTES_MAX',
    encodings: CONTENT_ENCODINGS,
    format: cloudEvents,
    response: eventListResponse,
  }
}

function toBody(received: ReceivedBody) {
  const { headers, chunks, bytes } = received
  const contentType = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const json = (locate: LocateEvents) => ({ chunks, bytes, prefixBytes: 0, pathType: -1, locate })
  if (contentType === 'application/cloudevents+json') return json(locateSingle)
  if (contentType === 'application/cloudevents-batch+json') return json(locateList)
  if (contentType.startsWith('application/cloudevents'))
    throw errors.INVALID_REQUEST({ message: 'structured and batched CloudEvents must be JSON' })
  if (!Object.keys(headers).some((name) => name.startsWith('ce-')))
    throw errors.INVALID_REQUEST({
      message:
        'the request is not a CloudEvent: it has neither a content type of CloudEvents nor headers such as ce-id',
    })
  return toStructured(received, contentType)
}
