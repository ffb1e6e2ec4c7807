import type { IncomingHttpHeaders } from 'node:http'
import type { MillraceError } from '@millrace/contracts'
import type { IntakeRoute } from '@millrace/http-intake'
import type { LogRejection, LogSink } from '../records/log-sink.js'

/** A wire over HTTP that log lines arrive by. Each has a folder below sources. */
export interface HttpSource {
  /** The name of its folder; a label of metrics. */
  readonly name: string
  readonly routes: readonly HttpSourceRoute[]
}

/** A complete request, decompressed, of a caller with the scope `write`. */
export interface SourceRequest {
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
  /** Path and query as the client sent them. */
  readonly url: string
  /** The whole body. */
  readonly body: Buffer
  /** LOG_BODY_BYTES_MAX, for a source that decompresses the body itself. */
  readonly bodyBytesMax: number
  /** ms since 1970. */
  readonly receivedAtMs: number
}

/** What became of the records of a request that is safe: in the stream, or fsynced in the spool. */
export interface SourceOutcome {
  /** Records that are kept. */
  readonly accepted: number
  /** Records that were refused one by one, in the order of the request. */
  readonly rejections: readonly LogRejection[]
}

/** A response. */
export interface SourceResponse {
  readonly status: number
  /** Default: no Content-Type header. */
  readonly contentType?: string
  /** Further headers, names and values. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Buffer
}

/** A path of a wire. What it has of `IntakeRoute` of @millrace/http-intake means the same here. */
export interface HttpSourceRoute
  extends Pick<IntakeRoute, 'path' | 'method' | 'encodings' | 'readKey' | 'optionsStatus'> {
  /** Whether no key is needed, for questions about the state of the server. No lines can be sent to such a route. Default false. */
  readonly isPublic?: boolean
  /**
   * Reads the whole request and hands every record to the sink. Runs within one turn of the event loop. What it returns is handed to `respond`.
   * @throws a MillraceError that refuses the whole request, for a body that cannot be read at all
   */
  readonly decode: (request: SourceRequest, sink: LogSink) => unknown
  /** The response once everything that was accepted is safe. The body of the request is given up by then. */
  readonly respond: (request: SourceRequest, outcome: SourceOutcome, decoded: unknown) => SourceResponse
  /**
   * The response to a request that was refused whole, in the form that the clients of the wire understand. Its status must be `status`, and 429 and 503
   * keep their Retry-After header. Default: a problem document (RFC 9457).
   */
  readonly refuse?: (request: Pick<SourceRequest, 'headers' | 'url'>, refusal: SourceRefusal) => SourceResponse
}

/** Why a request was refused whole. */
export interface SourceRefusal {
  readonly error: MillraceError
  /** The HTTP status. */
  readonly status: number
  /** A sentence that may be shown to the client. */
  readonly detail: string
}
