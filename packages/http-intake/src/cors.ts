import type { IncomingHttpHeaders } from 'node:http'

export interface CorsConfig {
  /** Origins of the web pages that may call. `*` allows every origin; an empty list allows none. */
  readonly origins: readonly string[]
  /** Response headers that scripts may read, besides the ones that browsers always show. Default: none. */
  readonly exposedHeaders?: readonly string[]
}

/**
 * Whether a page may read responses to requests that its browser sends with credentials (cookies and passwords that the browser remembers).
 * Beacons of type application/json are always sent so, and SDKs have an option for it. `allow` only for paths whose responses contain nothing of
 * a tenant: a browser may have remembered an API key that its user typed into the dialog of Basic authentication.
 */
export type CorsCredentials = 'allow' | 'omit'

/** The request headers that a preflight without Access-Control-Request-Headers is answered with. */
const USUAL_REQUEST_HEADERS =
  'Authorization, Content-Type, Content-Encoding, If-None-Match, X-Request-Id, traceparent, tracestate'
/** A list of field names (RFC 9110, section 5.1). */
const FIELD_NAMES = /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/

/**
 * The CORS headers of responses (https://fetch.spec.whatwg.org/#http-cors-protocol). Callers are identified by a key that the page itself has to
 * know, never by cookies, so no request header can give a page more than it has: a preflight is granted every header that it asks for. SDKs and
 * tracing libraries add headers of their own, and no list of them would be complete.
 */
export class Cors {
  readonly #isOpen: boolean
  readonly #origins: ReadonlySet<string>
  readonly #exposedHeaders: string

  constructor({ origins, exposedHeaders = [] }: CorsConfig) {
    this.#isOpen = origins.includes('*')
    this.#origins = new Set(origins)
    this.#exposedHeaders = ['Retry-After', 'X-Request-Id', 'X-Trace-Id', ...exposedHeaders].join(', ')
  }

  /**
   * Adds the CORS headers of a response to `headers`, name and value one after the other. Call it without an origin too when HTTP caches
   * may keep the response, because a cache can give it to web pages later.
   */
  append(headers: string[], origin: string | undefined, credentials: CorsCredentials = 'omit'): void {
    const namesOrigin = credentials === 'allow' || !this.#isOpen
    if (namesOrigin) headers.push('Vary', 'Origin')
    const allowed = namesOrigin ? origin : '*'
    if (allowed === undefined || !(this.#isOpen || this.#origins.has(allowed))) return
    headers.push('Access-Control-Allow-Origin', allowed)
    if (credentials === 'allow') headers.push('Access-Control-Allow-Credentials', 'true')
    headers.push('Access-Control-Expose-Headers', this.#exposedHeaders)
  }

  /** Adds the headers of the response to a preflight request. */
  appendPreflight(headers: string[], request: IncomingHttpHeaders, credentials: CorsCredentials = 'omit'): void {
    this.append(headers, request.origin ?? '', credentials)
    const asked = request['access-control-request-headers']
    headers.push('Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, DELETE, OPTIONS')
    headers.push(
      'Access-Control-Allow-Headers',
      typeof asked === 'string' && FIELD_NAMES.test(asked) ? asked : USUAL_REQUEST_HEADERS,
    )
    headers.push('Access-Control-Max-Age', '7200')
    // For caches in front that keep responses to OPTIONS.
    headers.push('Vary', 'Access-Control-Request-Headers, Access-Control-Request-Method')
  }
}

/** Whether a request is a preflight, by which a browser asks whether a page may send another request. */
export function isPreflight({
  method,
  headers,
}: {
  method?: string | undefined
  headers: IncomingHttpHeaders
}): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}
