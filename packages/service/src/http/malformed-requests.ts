import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { coreErrors, type MillraceError, toProblem } from '@millrace/contracts'
import { createTraceId, type Logger, silentLogger } from '@millrace/logger'
import type { Metrics } from '@millrace/telemetry'
import { problemHeaders } from './send-problem.js'

export interface MalformedRequestsDeps {
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** More headers of the responses, names and values one after the other, for a request from this origin. Default: none. */
  readonly headers?: ((origin: string | undefined) => readonly string[]) | undefined
}

/** What Node's HTTP parser reports. */
interface ParseError extends Error {
  readonly code?: string
  /** A fixed text of the parser, which quotes nothing of the request. */
  readonly reason?: string
  /** The bytes in which the error was found. */
  readonly rawPacket?: Buffer
}

/** How long the rest of a refused request is read and thrown away, in ms: closing at once would reset the connection before the client reads why. */
const LINGER_MS = 1_000
const ORIGIN_SEARCH_BYTES = 65_536
const ORIGIN = /(?:^|\n)origin:[ \t]*([^\r\n]{1,512}?)[ \t]*(?:\r|\n|$)/i

/**
 * Answers what never reaches a handler, because it is not an HTTP request that Node accepts: too large or invalid headers, broken chunks, a missing
 * Host, an unknown expectation, CONNECT, and requests that do not arrive in time. Each gets a problem document, and its connection is closed.
 */
export class MalformedRequests {
  readonly #logger: Logger
  readonly #deps: MalformedRequestsDeps
  readonly #headerBytesMax: number
  readonly #count: ((status: string) => void) | undefined
  /** The last response that was begun on each connection. */
  readonly #latest = new WeakMap<Socket, ServerResponse>()
  readonly #refused = new WeakSet<Socket>()

  constructor(headerBytesMax: number, deps: MalformedRequestsDeps) {
    this.#headerBytesMax = headerBytesMax
    this.#deps = deps
    this.#logger = deps.logger ?? silentLogger
    const counter = deps.metrics?.counter({
      name: 'millrace_http_malformed_requests_total',
      help: 'Requests that were refused before their path was known, because they are not valid HTTP, too large or too slow, by status',
      alert: 'rises: a client or a proxy in front sends requests that cannot be read',
      labels: ['status'] as const,
    })
    this.#count = counter && ((status) => counter.with({ status }).inc())
  }

  watch(server: Server): void {
    server.on('clientError', (error: ParseError, socket) => this.#onParseError(error, socket as Socket))
    server.on('connect', (req, socket) => {
      const error = coreErrors.METHOD_NOT_ALLOWED({ message: 'this server is not a proxy' })
      this.#refuseSocket(socket as Socket, error, req.headers.origin)
    })
    server.on('checkExpectation', (req, res) => {
      this.#refuseRequest(req, res, coreErrors.EXPECTATION_FAILED())
    })
  }

  /** To be called for each request before its handler. Returns false if the request was refused, so that there is nothing left to do. */
  check(req: IncomingMessage, res: ServerResponse): boolean {
    this.#latest.set(req.socket, res)
    if (req.headers.host !== undefined || req.httpVersion !== '1.1') return true
    this.#refuseRequest(req, res, coreErrors.MALFORMED_REQUEST({ message: 'the request has no Host header' }))
    return false
  }

  #onParseError(error: ParseError, socket: Socket): void {
    // The parser reports the bytes that follow too.
    if (this.#refused.has(socket)) return
    this.#refused.add(socket)
    const isGone = !socket.writable || error.code === 'ECONNRESET' || error.code === 'EPIPE'
    const last = this.#latest.get(socket)
    const isOver = last === undefined || last.writableFinished || last.destroyed
    if (isGone) socket.destroy()
    else if (isOver) this.#refuseSocket(socket, this.#toError(error), findOrigin(error.rawPacket))
    else if (last.headersSent && !last.writableEnded) socket.destroy()
    else if (!last.req.complete) {
      // The error is in the body of this request, which was answered already or is answered now.
      if (last.headersSent) socket.destroy()
      else this.#refuseSocket(socket, this.#toError(error), last.req.headers.origin)
    } else {
      // The requests before the broken one are answered first.
      socket.pause()
      last.once('close', () => {
        socket.resume()
        this.#refuseSocket(socket, this.#toError(error), findOrigin(error.rawPacket))
      })
    }
  }

  #toError({ code, reason }: ParseError): MillraceError {
    const limit = this.#headerBytesMax
    switch (code) {
      case 'HPE_HEADER_OVERFLOW':
        return coreErrors.HEADERS_TOO_LARGE({
          message: `the URL and the headers together exceed ${limit} bytes`,
          details: { limit_bytes: limit },
        })
      case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
        return coreErrors.BODY_TOO_LARGE({ message: 'the chunk extensions exceed the size limit' })
      case 'ERR_HTTP_REQUEST_TIMEOUT':
        return coreErrors.REQUEST_TIMEOUT()
      case 'HPE_INVALID_VERSION':
      case 'HPE_PAUSED_H2_UPGRADE':
        return coreErrors.HTTP_VERSION_UNSUPPORTED()
      default:
        return coreErrors.MALFORMED_REQUEST(
          reason === undefined ? {} : { message: `the request is not valid HTTP: ${reason}` },
        )
    }
  }

  #refuseSocket(socket: Socket, error: MillraceError, origin: string | undefined): void {
    if (!socket.writable) {
      socket.destroy()
      return
    }
    const { status, headers, body } = this.#toResponse(error, origin)
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nDate: ${new Date().toUTCString()}\r\n`
    for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(timer))
    socket.end(`${head}\r\n${body}`)
  }

  #refuseRequest(req: IncomingMessage, res: ServerResponse, error: MillraceError): void {
    const { status, headers, body } = this.#toResponse(error, req.headers.origin)
    res.writeHead(status, headers)
    res.end(body)
  }

  #toResponse(error: MillraceError, origin: string | undefined) {
    const requestId = createTraceId()
    const problem = toProblem(error, { requestId })
    const { status, code } = problem
    const body = JSON.stringify(problem)
    this.#count?.(String(status))
    this.#logger.debug('a request that cannot be read was refused', { status, code, request_id: requestId })
    const length = String(Buffer.byteLength(body))
    const headers = [
      ...problemHeaders(error, status),
      ...['Content-Length', length, 'Cache-Control', 'no-store', 'X-Request-Id', requestId, 'Connection', 'close'],
      ...(this.#deps.headers?.(origin) ?? []),
    ]
    return { status, headers, body }
  }
}

/** The Origin header in bytes that could not be parsed, if it is among them. */
function findOrigin(bytes: Buffer | undefined): string | undefined {
  if (bytes === undefined) return undefined
  return ORIGIN.exec(bytes.toString('latin1', 0, ORIGIN_SEARCH_BYTES))?.[1]
}
