import type { IncomingMessage, ServerResponse } from 'node:http'
import { toProblem } from '@millrace/contracts'
import { problemHeaders, readRequestIds } from '@millrace/service'
import type { Cors } from './cors.js'

export interface ProblemOptions {
  /** Closes the connection after the response; for requests whose body is not read to its end. Default false. */
  readonly isLast?: boolean
  /** Value of the Allow header. Default: no such header. */
  readonly allow?: string
}

/**
 * Writes the responses of routes that stand in front of Express. Headers go out as one flat list, which node:http writes without copying
 * them into an object.
 */
export class ResponseWriter {
  readonly #cors: Cors
  readonly #common: readonly string[]
  readonly #json: readonly string[]

  /** `securityHeaders` are names and values one after the other, as `createSecurityHeaders` returns them. */
  constructor(cors: Cors, securityHeaders: readonly string[]) {
    this.#cors = cors
    this.#common = [...securityHeaders, 'Cache-Control', 'no-store']
    this.#json = ['Content-Type', 'application/json; charset=utf-8', ...this.#common, 'Content-Length']
  }

  /** 200 with a JSON text. Does nothing when the client is gone or a response has begun. */
  json(req: IncomingMessage, res: ServerResponse, text: string): void {
    if (res.destroyed || res.headersSent) return
    const headers = [...this.#json, String(Buffer.byteLength(text))]
    if (req.headers.origin !== undefined) this.#cors.append(headers, req.headers.origin)
    res.writeHead(200, headers)
    res.end(text)
  }

  /** The problem document of an error. Returns its status, or 0 when the client is gone or a response has begun. */
  problem(req: IncomingMessage, res: ServerResponse, error: unknown, options: ProblemOptions = {}): number {
    if (res.destroyed || res.headersSent) return 0
    const ids = readRequestIds(req.headers)
    const problem = toProblem(error, ids)
    const text = JSON.stringify(problem)
    const headers = [...problemHeaders(error, problem.status), ...this.#common, 'X-Request-Id', ids.requestId]
    headers.push('Content-Length', String(Buffer.byteLength(text)))
    if (options.allow !== undefined) headers.push('Allow', options.allow)
    if (options.isLast === true) headers.push('Connection', 'close')
    if (req.headers.origin !== undefined) this.#cors.append(headers, req.headers.origin)
    res.writeHead(problem.status, headers)
    res.end(text)
    return problem.status
  }

  /** The response to a browser's preflight request. */
  preflight(req: IncomingMessage, res: ServerResponse): void {
    const headers = [...this.#common, 'Content-Length', '0']
    this.#cors.appendPreflight(headers, req.headers.origin ?? '')
    res.writeHead(204, headers)
    res.end()
  }
}
