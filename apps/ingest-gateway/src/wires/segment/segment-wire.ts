import { EVENT_TYPES, type EventType } from '@millrace/contracts'
import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import { errors } from '../../errors.js'
import { type LocateEvents, locateEnvelope, locateSingle } from '../../events/event-body.js'
import { fieldsToJson } from '../form-fields.js'
import { countsResponse } from '../response-form.js'
import { segmentEvents } from '../segment-events.js'
import type { ReceivedBody, Wire, WireLimits, WireRoute } from '../wire.js'

/** Paths that take a batch, and which SDKs use them. */
const BATCH_PATHS = [
  '/v1/batch', // Segment for Node, Python, PHP, Go and iOS; RudderStack
  '/v1/import', // Segment for Ruby, Java and Android
  '/v1/b', // Segment for browsers, Kotlin, Swift, React Native, Flutter and .NET
]
const BEACON_PATH = '/beacon/v1/batch'
/** A form costs more to read than JSON, and it is read before the key in it is known. */
const FORM_BYTES_MAX = 1_048_576
const FORM = 'application/x-www-form-urlencoded'

/**
 * The wire of Segment's and RudderStack's SDKs: paths for a batch, and for each type of event one path with its name and one with its first
 * letter. The content type matters only for a form (fieldsToJson).
 */
export function createSegmentWire({ segmentBytesMax }: WireLimits): Wire {
  return {
    name: 'segment',
    routes: [
      ...BATCH_PATHS.map((path) => createRoute(path, locateEnvelope, -1)),
      // navigator.sendBeacon cannot set headers, so RudderStack's beacons have their key in the URL.
      { ...createRoute(BEACON_PATH, locateEnvelope, -1), keyParameter: 'writeKey' },
      ...EVENT_TYPES.flatMap((type, index) => pathsOf(type).map((path) => createRoute(path, locateSingle, index))),
    ],
    query: 'any',
    bodyBytesMax: segmentBytesMax,
    bodyBytesSetting: 'SEGMENT_BODY_BYTES_MAX',
    encodings: CONTENT_ENCODINGS,
    format: segmentEvents,
    response: countsResponse,
  }
}

/** No two types begin with the same letter. */
function pathsOf(type: EventType): string[] {
  return [`/v1/${type}`, `/v1/${type.charAt(0)}`]
}

function createRoute(path: string, locate: LocateEvents, pathType: number): WireRoute {
  return {
    path,
    toBody: (received) => ({ ...readJson(received), prefixBytes: 0, pathType, locate }),
  }
}

function readJson({ headers, chunks, bytes }: ReceivedBody): Pick<ReceivedBody, 'chunks' | 'bytes'> {
  // curl and old libraries send JSON with the content type of a form, so the first byte decides as well.
  if (headers['content-type']?.startsWith(FORM) !== true || beginsAsJson(chunks)) return { chunks, bytes }
  if (bytes > FORM_BYTES_MAX)
    throw errors.INVALID_REQUEST({ message: `a form can have at most ${FORM_BYTES_MAX} bytes: send JSON` })
  const json = Buffer.from(fieldsToJson(new URLSearchParams(Buffer.concat(chunks).toString('utf8'))))
  return { chunks: [json], bytes: json.length }
}

/** Whether the first byte that is no space begins a JSON object or list. A byte order mark and an empty body count as JSON. */
function beginsAsJson([first]: readonly Buffer[]): boolean {
  const byte = first?.find((one) => one > 0x20)
  return byte === undefined || byte === 0x7b || byte === 0x5b || byte === 0xef
}
