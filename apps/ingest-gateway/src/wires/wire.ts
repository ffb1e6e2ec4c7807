import type { IncomingHttpHeaders } from 'node:http'
import type { ContentEncoding, FixedBody } from '@millrace/http-intake'
import type { EventBody } from '../events/event-body.js'
import type { EventFormat } from '../events/event-format.js'
import type { ResponseForm } from './response-form.js'

/** A query parameter that a route takes. */
export interface KnownParameter {
  readonly name: string
  readonly isRequired: boolean
  /** Its values, if it has few. */
  readonly allowed?: readonly string[]
}

/** A protocol that clients speak to the gateway. Each has a folder here with a function `create…Wire`, which wires.ts lists. */
export interface Wire {
  /** In lower case, for messages. */
  readonly name: string
  readonly routes: readonly WireRoute[]
  /** Largest body after decompression, in bytes. */
  readonly bodyBytesMax: number
  /** Query parameters that its clients may send; all others are refused. `any` where SDKs add parameters of their own. */
  readonly query: readonly KnownParameter[] | 'any'
  /** Setting that holds `bodyBytesMax`. */
  readonly bodyBytesSetting: string
  /** Compression methods that its clients may use. */
  readonly encodings: readonly ContentEncoding[]
  /** Field names, where the write key may be besides the header, and how an event is normalised. */
  readonly format: EventFormat
  /** What the client gets for an acknowledged request. */
  readonly response: ResponseForm
  /** Body of every response, also of refusals. Default: the text of `response`, or a problem document. */
  readonly fixedBody?: FixedBody | undefined
}

/** One path of a wire. */
export interface WireRoute {
  readonly path: string
  /** Default POST. Requests with GET have no body; their events are in the URL. */
  readonly method?: 'GET' | 'POST' | undefined
  /** Query parameter that may hold the write key when there is no Authorization header. Default: none. */
  readonly keyParameter?: string | undefined
  /**
   * The body as JSON, and how to find its events. Called once the whole body is here.
   * @throws INVALID_REQUEST when the headers do not fit the wire
   */
  toBody(body: ReceivedBody): EventBody
}

/** A request body as received, already decompressed. */
export interface ReceivedBody {
  /** Path and query as the client sent them. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly chunks: readonly Buffer[]
  readonly bytes: number
}

/** The settings that a wire may use. */
export interface WireLimits {
  /** Largest body of Segment's wire after decompression, in bytes. */
  readonly segmentBytesMax: number
  /** Largest body of every other wire after decompression, in bytes. */
  readonly eventsBytesMax: number
}
