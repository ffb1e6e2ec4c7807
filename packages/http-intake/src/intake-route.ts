import type { IncomingMessage } from 'node:http'
import type { Scope } from '@millrace/auth'
import type { MillraceError, Problem } from '@millrace/contracts'
import type { ContentEncoding } from './decompress.js'
import type { IntakeRequest } from './intake-request.js'
import type { FixedBody, IntakeResponse } from './response-writer.js'

/** A path that takes in data: in the body of a POST request, or in the URL of a GET request. */
export interface IntakeRoute {
  /**
   * Exact path, or a path with segments in braces that stand for any text: `/{index}/_bulk`. The same path with a slash at its end is served too. An exact
   * path counts before one with braces. Also the `route` label of metrics and spans. Routes with the same path must have different methods.
   */
  readonly path: string
  /** Default POST. A route with GET reads no body; HEAD gets the same response without `handle` being called, so it takes in nothing. */
  readonly method?: 'GET' | 'POST' | 'PUT' | undefined
  /** Whether a HEAD request is handled like a GET request, so that its response has the same headers. For routes that take in nothing. Default false. */
  readonly handlesHead?: boolean | undefined
  /** Status of the response to OPTIONS. Default 204; some clients check a server by OPTIONS and want 200. */
  readonly optionsStatus?: 200 | 204 | undefined
  /** The scope that the caller's key must have. */
  readonly scope: Scope
  /**
   * Where clients put their key. `header`: a request without Authorization is refused before its body is read. `header-or-body`: such a
   * request reaches `handle` without a principal, and `handle` calls `request.authenticate` with the key that it finds in the body.
   * `nowhere`: keys are ignored, and `handle` never gets a principal.
   */
  readonly keyIn: 'header' | 'header-or-body' | 'nowhere'
  /**
   * Query parameter that may hold the key of a request without an Authorization header; it counts before a key in the body. Only for clients
   * that can send it in no other way, because URLs are written to logs on their way. Default: none.
   */
  readonly keyParameter?: string | undefined
  /**
   * Finds the key where the clients of this route put it besides `Authorization: Basic` and `Bearer`: in a header of their own, or in another scheme. It
   * counts before every other place. Default: no other place.
   */
  readonly readKey?: ((req: IncomingMessage) => string | undefined) | undefined
  /**
   * The response to a refused request, in the form that the clients of this route understand. Its status must be that of the problem; a Retry-After header
   * is added where the problem document has one. Default: the problem document.
   */
  readonly formatRefusal?:
    | ((request: IntakeRequest, error: MillraceError, problem: Problem) => IntakeResponse)
    | undefined
  /** Body of every response, whatever its status; for images. Default: the text of `request.respond`, or a problem document. */
  readonly fixedBody?: FixedBody | undefined
  /** Largest body after decompression, in bytes. */
  readonly bodyBytesMax: number
  /** Setting that holds `bodyBytesMax`; the message of 413 names it. Default: none. */
  readonly bodyBytesSetting?: string | undefined
  /** Largest ratio of decompression, above 1 MiB: a body beyond it gets 413 before it is unpacked whole. Default: no limit but `bodyBytesMax`. */
  readonly inflateRatioMax?: number | undefined
  /** Compression methods that clients may use. */
  readonly encodings: readonly ContentEncoding[]
  /**
   * Called once, with the complete and decompressed body, after the key in the header was verified. Must lead to exactly one call of
   * `request.respond` or `request.refuse`. An error that it throws, or rejects with, refuses the request.
   */
  readonly handle: (request: IntakeRequest) => void | Promise<void>
}
