import type { IncomingMessage, ServerResponse } from 'node:http'
import { problemContentType, toMillraceError, toProblem } from '@millrace/contracts'
import { readRequestIds } from '@millrace/service'
import type { Cors } from './cors.js'

/** What helmet would set on an answer that is data and never a page. */
const secureHeaders: readonly string[] = [
  'X-Content-Type-Options',
  'nosniff',
  'Content-Security-Policy',
  "default-src 'none';frame-ancestors 'none'",
  'Strict-Transport-Security',
  'max-age=31536000; includeSubDomains',
  'X-Frame-Options',
  'SAMEORIGIN',
  'Referrer-Policy',
  'no-referrer',
  'Cache-Control',
  'no-store',
]

/** Writes answers of the routes that stand in front of Express. Headers go out as one flat list, which node:http copies as it is. */
export class ResponseWriter {
  readonly #cors: Cors
  readonly #json: readonly string[] = [
    'Content-Type',
    'application/json; charset=utf-8',
    ...secureHeaders,
    'Content-Length',
  ]

  constructor(cors: Cors) {
    this.#cors = cors
  }

  /** 200 with a JSON text. */
  json(req: IncomingMessage, res: ServerResponse, text: string): void {
    if (res.destroyed || res.headersSent) return
    const headers = [...this.#json, String(Buffer.byteLength(text))]
    if (req.headers.origin !== undefined) this.#cors.append(headers, req.headers.origin)
    res.writeHead(200, headers)
    res.end(text)
  }

  /** The problem document of an error; `isLast` closes the connection, for requests whose body is not read to its end. */
  problem(req: IncomingMessage, res: ServerResponse, error: unknown, { isLast = false, allow = '' } = {}): number {
    if (res.destroyed || res.headersSent) return 0
    const ids = readRequestIds(req.headers)
    const problem = toProblem(error, ids)
    const text = JSON.stringify(problem)
    const headers = ['Content-Type', problemContentType, ...secureHeaders, 'X-Request-Id', ids.requestId]
    headers.push('Content-Length', String(Buffer.byteLength(text)))
    if (problem.status === 429 || problem.status === 503) headers.push('Retry-After', retryAfter(error))
    if (problem.status === 401) headers.push('WWW-Authenticate', 'Basic realm="millrace", Bearer realm="millrace"')
    if (allow !== '') headers.push('Allow', allow)
    if (isLast) headers.push('Connection', 'close')
    if (req.headers.origin !== undefined) this.#cors.append(headers, req.headers.origin)
    res.writeHead(problem.status, headers)
    res.end(text)
    return problem.status
  }

  /** The answer to a browser's question before a request across origins. */
  preflight(req: IncomingMessage, res: ServerResponse): void {
    const headers = [...secureHeaders, 'Content-Length', '0']
    this.#cors.appendPreflight(headers, req.headers.origin ?? '')
    res.writeHead(204, headers)
    res.end()
  }
}

function retryAfter(error: unknown): string {
  return String(Math.max(1, Math.ceil(toMillraceError(error).retryAfterSeconds ?? 1)))
}
