import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import { readFault } from '../../fields/decode-fault.js'
import { isMembers } from '../../fields/log-fields.js'
import type { HttpSource, HttpSourceRoute, SourceRequest, SourceResponse } from '../../intake/http-source.js'
import type { LogSink } from '../../records/log-sink.js'
import { decodeJson } from '../json-lines.js'
import { readKeyOfScheme } from '../read-key.js'
import { decodeSplunkEvents, decodeSplunkRaw } from './decode.js'
import { answer, json, respondRefused, respondTaken } from './respond.js'

const COLLECTOR = '/services/collector'
type Described = Pick<SourceRequest, 'headers' | 'url'>

/** Splunk's HTTP Event Collector, https://docs.splunk.com/Documentation/Splunk/latest/Data/HECRESTendpoints */
export const splunkSource: HttpSource = {
  name: 'splunk',
  routes: [
    ...['', '/event', '/event/1.0'].map((path) => linesRoute(path, ({ body }, sink) => decodeSplunkEvents(body, sink))),
    ...['/raw', '/raw/1.0'].map((path) =>
      linesRoute(path, ({ body, url }, sink) => decodeSplunkRaw(body, Object.fromEntries(queryOf(url)), sink)),
    ),
    ...['/ack', '/ack/1.0'].map(acknowledgementRoute),
    ...['/health', '/health/1.0'].map(healthRoute),
  ],
}

function linesRoute(path: string, decode: (request: SourceRequest, sink: LogSink) => number): HttpSourceRoute {
  let lastAckId = -1
  return {
    path: `${COLLECTOR}${path}`,
    encodings: CONTENT_ENCODINGS,
    readKey: readKeyOfScheme,
    // Docker's driver checks a server by OPTIONS.
    optionsStatus: 200,
    decode,
    respond: (request, outcome, events) => {
      const isKept = outcome.rejections.length === 0
      const ackId = isKept && channelOf(request) !== undefined ? ++lastAckId : undefined
      return respondTaken(outcome, { events: events as number, ackId })
    },
    refuse: (_request, refusal) => respondRefused(refusal),
  }
}

/**
 * Says of ids of earlier responses whether their events are safe. They are: a request is answered when the stream or the spool has its events, so the id is
 * the proof itself, and nothing has to be remembered.
 */
function acknowledgementRoute(path: string): HttpSourceRoute {
  return {
    path: `${COLLECTOR}${path}`,
    encodings: CONTENT_ENCODINGS,
    readKey: readKeyOfScheme,
    decode: ({ body }) => readAckIds(body),
    respond: (request, _outcome, ids) => respondAcknowledged(request, ids as readonly number[] | undefined),
    refuse: (_request, refusal) => respondRefused(refusal),
  }
}

function readAckIds(body: Buffer): readonly number[] | undefined {
  try {
    const { value } = decodeJson(body)
    const acks = isMembers(value) ? value.acks : undefined
    const isValid = Array.isArray(acks) && acks.every((id) => Number.isSafeInteger(id) && (id as number) >= 0)
    return isValid ? (acks as number[]) : undefined
  } catch (error) {
    readFault(error)
    return undefined
  }
}

function respondAcknowledged(request: Described, ids: readonly number[] | undefined): SourceResponse {
  if (channelOf(request) === undefined) return answer(400, 'channelMissing')
  if (ids === undefined) return answer(400, 'format')
  return json(200, { acks: Object.fromEntries(ids.map((id) => [id, true])) })
}

function healthRoute(path: string): HttpSourceRoute {
  return {
    path: `${COLLECTOR}${path}`,
    method: 'GET',
    encodings: [],
    isPublic: true,
    decode: () => undefined,
    respond: () => answer(200, 'healthy'),
    refuse: (_request, { status, error }) => answer(status, 'unhealthy', { detail: error.code }),
  }
}

/** The channel by which a client asks for acknowledgements. */
function channelOf({ headers, url }: Described): string | undefined {
  const header = headers['x-splunk-request-channel']
  return (typeof header === 'string' && header !== '' ? header : queryOf(url).get('channel')) || undefined
}

function queryOf(url: string): URLSearchParams {
  return new URL(url, 'http://localhost').searchParams
}
