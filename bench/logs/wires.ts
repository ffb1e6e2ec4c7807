import type { LogLine } from '../lib/log-corpus.js'
import { encodeForward } from './encode-forward.js'
import { bulkItem, ndjsonLine, otlpJson } from './encode-json.js'
import { encodeLoki, encodeOtlp } from './encode-protobuf.js'
import { placeholderOf, type TimeForm } from './line-times.js'
import type { PreparedBody } from './prepared-body.js'

/** A wire that both log-shipper and, where it has a path there, VictoriaLogs take. */
export interface Wire {
  readonly timeForm: TimeForm
  /** Bytes of a body, or of the entries of a message, with placeholders for the times. */
  readonly encode: (lines: readonly LogLine[]) => PreparedBody
  readonly contentType: string
  readonly path: string
  /** The path of VictoriaLogs; undefined when it does not take the wire. */
  readonly peerPath: string | undefined
  /** Whether the wire is HTTP; Forward is a TCP protocol. */
  readonly isHttp: boolean
}

const PEER_FIELDS = '_msg_field=msg&_time_field=ts&_stream_fields=service,host'

export const WIRES = {
  'otlp-json': {
    timeForm: 'nanoseconds',
    encode: (lines) => find(otlpJson(lines), 'nanoseconds'),
    contentType: 'application/json',
    path: '/v1/logs',
    // It answers 400: OpenTelemetry's JSON is not supported there.
    peerPath: undefined,
    isHttp: true,
  },
  'otlp-protobuf': {
    timeForm: 'fixed64',
    encode: encodeOtlp,
    contentType: 'application/x-protobuf',
    path: '/v1/logs',
    peerPath: '/insert/opentelemetry/v1/logs?_stream_fields=service.name,host.name',
    isHttp: true,
  },
  ndjson: {
    timeForm: 'date',
    encode: (lines) => find(lines.map(ndjsonLine).join(''), 'date'),
    contentType: 'application/x-ndjson',
    path: '/v1/logs/ndjson',
    peerPath: `/insert/jsonline?${PEER_FIELDS}`,
    isHttp: true,
  },
  bulk: {
    timeForm: 'date',
    encode: (lines) => find(lines.map(bulkItem).join(''), 'date'),
    contentType: 'application/x-ndjson',
    path: '/_bulk?filter_path=errors',
    peerPath: `/insert/elasticsearch/_bulk?${PEER_FIELDS}`,
    isHttp: true,
  },
  loki: {
    timeForm: 'timestamp',
    encode: encodeLoki,
    contentType: 'application/x-protobuf',
    path: '/loki/api/v1/push',
    peerPath: '/insert/loki/api/v1/push',
    isHttp: true,
  },
  forward: {
    timeForm: 'event-time',
    encode: encodeForward,
    contentType: '',
    path: '',
    peerPath: undefined,
    isHttp: false,
  },
} as const satisfies Record<string, Wire>

export type WireName = keyof typeof WIRES
export const WIRE_NAMES = Object.keys(WIRES) as readonly WireName[]

/** The places of all placeholders in a text. */
function find(text: string, form: TimeForm): PreparedBody {
  const bytes = Buffer.from(text)
  const placeholder = placeholderOf(form)
  const times: number[] = []
  for (let at = bytes.indexOf(placeholder); at >= 0; at = bytes.indexOf(placeholder, at + placeholder.length))
    times.push(at)
  return { bytes, times: Uint32Array.from(times) }
}
