import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type MillraceError, type Problem, toMillraceError, toProblem } from '@millrace/contracts'
import { problemHeaders, readRequestIds } from '@millrace/service'
import { type Cors, isPreflight } from './cors.js'

/** A body that is sent with every response of a route, whatever its status, for clients that can show nothing else. */
export interface FixedBody {
  readonly contentType: string
  readonly bytes: Buffer
}

/** A response of a route that has its own form. */
export interface IntakeResponse {
  readonly status: number
  /** Default: no Content-Type header. */
  readonly contentType?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body: string | Buffer
}

/** How long the rest of a refused request is read and thrown away, in ms. */
const LINGER_MS = 1_000

/** Pages that isolate themselves (Cross-Origin-Embedder-Policy) show images of other origins only with this header. */
const FOREIGN = ['Cross-Origin-Resource-Policy', 'cross-origin']

export interface ProblemOptions {
  /** Closes the connection after the response; for requests whose body is not read to its end. Default false. */
  readonly isLast?: boolean
  /** Value of the Allow header. Default: no such header. */
  readonly allow?: string
  /** Sent instead of the problem document, whose code is then in the header Millrace-Error. Default: the problem document. */
  readonly fixedBody?: FixedBody | undefined
  /** Makes the response that is sent instead of the problem document, as for `fixedBody`. Default: the problem document. */
  readonly format?: ((error: MillraceError, problem: Problem) => IntakeResponse) | undefined
}

/**
 * Writes the responses of routes that stand in front of Express. Headers go out as one flat list, which node:http writes without copying
 * them into an object. These responses say what became of a request and contain nothing else of a tenant, so pages may send credentials.
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
    if (req.headers.origin !== undefined) this.#cors.append(headers, req.headers.origin, 'allow')
    res.writeHead(200, headers)
    res.end(text)
  }

  /** 200 with a fixed body. Does nothing when the client is gone or a response has begun. */
  fixed(req: IncomingMessage, res: ServerResponse, { contentType, bytes }: FixedBody): void {
    if (res.destroyed || res.headersSent) return
    const headers = ['Content-Type', contentType, ...FOREIGN, ...this.#common, 'Content-Length', String(bytes.length)]
    if (req.headers.origin !== undefined) this.#cors.append(headers, req.headers.origin, 'allow')
    res.writeHead(200, headers)
    res.end(bytes)
  }

  /** A response in a form of its own. Does nothing when the client is gone or a response has begun. */
  own(req: IncomingMessage, res: ServerResponse, response: IntakeResponse): void {
    if (res.destroyed || res.headersSent) return
    const headers = [...this.#common]
    if (response.contentType !== undefined) headers.push('Content-Type', response.contentType)
    for (const [name, value] of Object.entries(response.headers ?? {})) headers.push(name, value)
    headers.push('Content-Length', String(Buffer.byteLength(response.body)))
    if (req.headers.origin !== undefined) this.#cors.append(headers, req.headers.origin, 'allow')
    res.writeHead(response.status, headers)
    res.end(response.body)
  }

  /** The problem document of an error. Returns its status, or 0 when the client is gone or a response has begun. */
  problem(req: IncomingMessage, res: ServerResponse, error: unknown, options: ProblemOptions = {}): number {
    if (res.destroyed || res.headersSent) return 0
    const ids = readRequestIds(req.headers)
    const problem = toProblem(error, ids)
    const { fixedBody, format } = options
    const own = format?.(toMillraceError(error), problem)
    const body = fixedBody?.bytes ?? own?.body ?? JSON.stringify(problem)
    const headers = [...this.#common, 'X-Request-Id', ids.requestId]
    if (own !== undefined)
      headers.push(...ownHeaders(own, problemHeaders(error, problem.status)), 'Millrace-Error', problem.code)
    else if (fixedBody === undefined) headers.push(...problemHeaders(error, problem.status))
    else headers.push('Content-Type', fixedBody.contentType, ...FOREIGN, 'Millrace-Error', toMillraceError(error).code)
    headers.push('Content-Length', String(Buffer.byteLength(body)))
    if (options.allow !== undefined) headers.push('Allow', options.allow)
    if (options.isLast === true) {
      headers.push('Connection', 'close')
      closeLate(req.socket)
    }
    if (req.headers.origin !== undefined) this.#cors.append(headers, req.headers.origin, 'allow')
    res.writeHead(problem.status, headers)
    res.end(body)
    return problem.status
  }

  /** The response to OPTIONS: to a browser's preflight request, or to a client that asks for the methods of a path. */
  options(req: IncomingMessage, res: ServerResponse, allow: string, status: 200 | 204 = 204): void {
    const headers = [...this.#common, 'Content-Length', '0', 'Allow', allow]
    if (isPreflight(req)) this.#cors.appendPreflight(headers, req.headers, 'allow')
    else this.#cors.append(headers, req.headers.origin, 'allow')
    res.writeHead(status, headers)
    res.end()
  }
}

/** The headers of a refusal in a form of its own: those of the problem document, but for its type. */
function ownHeaders({ contentType, headers = {} }: IntakeResponse, problem: readonly string[]): string[] {
  const all = contentType === undefined ? [] : ['Content-Type', contentType]
  for (let at = 0; at < problem.length; at += 2) {
    const name = problem[at] as string
    if (name.toLowerCase() !== 'content-type') all.push(name, problem[at + 1] as string)
  }
  for (const [name, value] of Object.entries(headers)) all.push(name, value)
  return all
}

/**
 * Lets the client read the response before the connection ends. node:http calls `destroySoon` when a last response is sent. That closes the
 * connection while the client still sends, so the system resets it, and the client loses a response that it has not read yet.
 */
function closeLate(socket: Socket): void {
  socket.destroySoon = () => {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(timer))
    socket.end()
  }
}
