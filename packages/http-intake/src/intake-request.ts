import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { authErrors, type KeyVerifier, type Principal, requireScope, type Scope } from '@millrace/auth'
import { isMillraceError, type MillraceError, type Problem, toMillraceError } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { HttpMetrics, Tracer } from '@millrace/telemetry'
import type { FixedBody, IntakeResponse, ResponseWriter } from './response-writer.js'

export interface IntakeDeps {
  readonly verifier: Pick<KeyVerifier, 'verify' | 'verifyKey'>
  readonly responses: ResponseWriter
  readonly metrics: Pick<HttpMetrics, 'observe'>
  readonly tracer: Tracer
  readonly logger: Logger
  /** Called with each refused request, before its body is released. Must not throw. Default: nothing is called. */
  readonly onRefused?: (request: IntakeRequest, error: MillraceError) => void
}

interface RouteOfRequest {
  readonly path: string
  readonly scope: Scope
  readonly fixedBody?: FixedBody | undefined
  readonly formatRefusal?:
    | ((request: IntakeRequest, error: MillraceError, problem: Problem) => IntakeResponse)
    | undefined
}

/** One request from its headers to its response. */
export class IntakeRequest {
  readonly req: IncomingMessage
  readonly #route: RouteOfRequest
  /** The caller, once known; it has the scope of the route. */
  principal: Principal | undefined
  /** The caller as soon as its key is verified, whatever its scopes are. */
  caller: Principal | undefined
  /** The body in pieces: as received, or decompressed. */
  chunks: Buffer[] = []
  /** Size of the body, in bytes. */
  bytes = 0
  /** `traceparent` of the request's span when that span is recorded. */
  traceparent: string | undefined
  readonly #res: ServerResponse
  readonly #deps: IntakeDeps
  readonly #startedAt = performance.now()

  constructor(req: IncomingMessage, res: ServerResponse, options: { route: RouteOfRequest; deps: IntakeDeps }) {
    this.req = req
    this.#route = options.route
    this.#res = res
    this.#deps = options.deps
  }

  get headers(): IncomingHttpHeaders {
    return this.req.headers
  }

  /** Path of the route. */
  get path(): string {
    return this.#route.path
  }

  /** Path and query as the client sent them. */
  get url(): string {
    return this.req.url as string
  }

  /**
   * Finds out who calls by a key from the body, at once or as a promise, and sets `principal`.
   * @throws KEY_MISSING, KEY_INVALID, KEYS_UNAVAILABLE or SCOPE_MISSING; at once or by rejecting
   */
  authenticate(key: string | undefined): Principal | Promise<Principal> {
    if (key === undefined) throw authErrors.KEY_MISSING()
    return this.accept(this.#deps.verifier.verifyKey(key))
  }

  /** Checks the scope of a verified caller and sets `principal`. */
  accept(verified: Principal | Promise<Principal>): Principal | Promise<Principal> {
    if (verified instanceof Promise) return verified.then((principal) => this.accept(principal))
    this.caller = verified
    requireScope(verified, this.#route.scope)
    this.principal = verified
    return verified
  }

  /** Gives up the body, so that its memory is free while the response waits for something. */
  releaseBody(): void {
    this.chunks = []
  }

  /** Responds with 200 and a JSON text, or with the fixed body of the route instead. */
  respond(text: string): void {
    const { fixedBody } = this.#route
    if (fixedBody === undefined) this.#deps.responses.json(this.req, this.#res, text)
    else this.#deps.responses.fixed(this.req, this.#res, fixedBody)
    this.#observe(200)
  }

  /** Responds in a form of its own. */
  respondWith(response: IntakeResponse): void {
    this.#deps.responses.own(this.req, this.#res, response)
    this.#observe(response.status)
  }

  /**
   * Responds with the problem document of `error`, or in the form of the route. Errors that are our fault are logged. `isLast` closes the connection, for a body that is
   * not read to its end.
   */
  refuse(error: unknown, isLast = false): void {
    if (!isMillraceError(error) || error.kind === 'internal')
      this.#deps.logger.error('a request failed because of an internal error', { error, path: this.#route.path })
    const { fixedBody, formatRefusal } = this.#route
    const format =
      formatRefusal && ((refused: MillraceError, problem: Problem) => formatRefusal(this, refused, problem))
    const status = this.#deps.responses.problem(this.req, this.#res, error, { isLast, fixedBody, format })
    // A request is refused once; later failures of the same request find its response sent.
    if (status > 0) {
      this.#observe(status)
      this.#deps.onRefused?.(this, toMillraceError(error))
    }
    this.releaseBody()
  }

  #observe(status: number): void {
    const labels = { method: this.req.method as string, route: this.#route.path, status: String(status) }
    this.#deps.metrics.observe(labels, (performance.now() - this.#startedAt) / 1000)
  }
}
