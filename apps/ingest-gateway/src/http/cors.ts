/** What a page may read besides what every page may: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name */
const EXPOSED = 'ETag, Age, Date, Millrace-Meta, Retry-After, X-Request-Id, X-Trace-Id'

/** Which web pages may call from a browser. Keys travel in a header and there are no cookies, so credentials are never allowed. */
export class Cors {
  readonly #isOpen: boolean
  readonly #origins: ReadonlySet<string>

  /** `*` for every origin; an empty list for none. */
  constructor(origins: readonly string[]) {
    this.#isOpen = origins.includes('*')
    this.#origins = new Set(origins)
  }

  /**
   * Adds the headers of an answer to a request from `origin`, as name and value in turn. What a cache may keep needs them without an origin too: it
   * is given to pages afterwards.
   */
  append(headers: string[], origin: string | undefined): void {
    if (!this.#isOpen) headers.push('Vary', 'Origin')
    const allowed = this.#isOpen ? '*' : origin
    if (allowed === undefined || !(this.#isOpen || this.#origins.has(allowed))) return
    headers.push('Access-Control-Allow-Origin', allowed)
    headers.push('Access-Control-Expose-Headers', EXPOSED)
  }

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
