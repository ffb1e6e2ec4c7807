export interface CorsConfig {
  /** Origins of the web pages that may call. `*` allows every origin; an empty list allows none. */
  readonly origins: readonly string[]
  /** Response headers that scripts may read, besides the ones that browsers always show. Default: none. */
  readonly exposedHeaders?: readonly string[]
}

/**
 * The CORS headers of responses (https://fetch.spec.whatwg.org/#http-cors-protocol). Keys travel in a header and there are no cookies, so
 * credentials are never allowed.
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
  append(headers: string[], origin: string | undefined): void {
    if (!this.#isOpen) headers.push('Vary', 'Origin')
    const allowed = this.#isOpen ? '*' : origin
    if (allowed === undefined || !(this.#isOpen || this.#origins.has(allowed))) return
    headers.push('Access-Control-Allow-Origin', allowed)
    headers.push('Access-Control-Expose-Headers', this.#exposedHeaders)
  }

  /** Adds the headers of the response to a preflight request. */
  appendPreflight(headers: string[], origin: string): void {
    this.append(headers, origin)
    headers.push('Access-Control-Allow-Methods', 'GET, HEAD, POST, DELETE, OPTIONS')
    headers.push(
      'Access-Control-Allow-Headers',
      'Authorization, Content-Type, Content-Encoding, If-None-Match, X-Request-Id, traceparent, tracestate',
    )
    headers.push('Access-Control-Max-Age', '7200')
  }
}
