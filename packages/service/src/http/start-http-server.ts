import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Started } from '../lifecycle/lifecycle.js'
import { type ListenAddress, toListenError } from '../lifecycle/listen-error.js'
import { MalformedRequests, type MalformedRequestsDeps } from './malformed-requests.js'

/** Address and time limits of an HTTP server. */
export interface HttpServerConfig extends ListenAddress {
  /** Time for a whole request to arrive, in ms. Default 30,000. Slower clients get 408. */
  readonly requestTimeoutMs?: number
  /** Time for the headers alone, in ms. Default 10,000. */
  readonly headersTimeoutMs?: number
  /** How long an idle connection stays open, in ms. Default 65,000, longer than load balancers keep theirs. */
  readonly keepAliveTimeoutMs?: number
  /** Largest size of URL and headers together, in bytes. Default 16,384. Larger ones get 431. */
  readonly headerBytesMax?: number
  /** How often slow requests are looked for, in ms. Default 30,000, so one may last that much longer than its time limit. */
  readonly overdueCheckMs?: number
  /** Connections at a time; further ones are closed. Default: no limit. */
  readonly connectionsMax?: number
  /** How long requests in progress may take once the server stops, in ms; then connections are cut. Default 10,000, or the stop's budget if that is less. */
  readonly drainTimeoutMs?: number
}

const IDLE_CHECK_MS = 50
const HEADER_BYTES_MAX = 16_384

/**
 * Starts an HTTP server. Its stop refuses new connections and lets requests in progress finish. `handler` may be an Express app or a function. Requests
 * that Node's parser refuses get problem documents; `deps` says with which headers, and where they are counted and logged (as debug).
 */
export function startHttpServer(
  config: HttpServerConfig & { readonly handler: RequestListener },
  deps: MalformedRequestsDeps = {},
): Promise<Started<Server>> {
  const { handler, headerBytesMax = HEADER_BYTES_MAX } = config
  const malformed = new MalformedRequests(headerBytesMax, deps)
  const options = {
    maxHeaderSize: headerBytesMax,
    connectionsCheckingInterval: config.overdueCheckMs ?? 30_000,
    // Node's own answer to a missing Host has no body.
    requireHostHeader: false,
  }
  const server = createServer(options, (req, res) => {
    if (malformed.check(req, res)) handler(req, res)
  })
  malformed.watch(server)
  server.on('checkContinue', (req, res) => {
    continueOnceRead(req, res)
    server.emit('request', req, res)
  })
  // The size of the headers is limited. Node would ignore the 2,001st header without a word.
  server.maxHeadersCount = 0
  if (config.connectionsMax !== undefined) server.maxConnections = config.connectionsMax
  server.requestTimeout = config.requestTimeoutMs ?? 30_000
  server.headersTimeout = config.headersTimeoutMs ?? 10_000
  server.keepAliveTimeout = config.keepAliveTimeoutMs ?? 65_000
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(toListenError(error, config)))
    server.listen(config.port, config.host ?? '127.0.0.1', () => {
      server.removeAllListeners('error')
      const timeoutMs = config.drainTimeoutMs ?? 10_000
      resolve([server, (budgetMs = timeoutMs) => drain(server, sockets, Math.min(timeoutMs, budgetMs))])
    })
  })
}

/**
 * A client that sends `Expect: 100-continue` waits with its body. It is told to go on when a handler begins to read the body, so that a request that is
 * refused before never sends it. After such a refusal the server cannot know whether the body still comes, so it closes the connection.
 */
function continueOnceRead(req: IncomingMessage, res: ServerResponse): void {
  const { shouldKeepAlive } = res
  res.shouldKeepAlive = false
  req.on('newListener', function goOn(event) {
    if (event !== 'data' && event !== 'readable') return
    req.off('newListener', goOn)
    if (res.headersSent) return
    res.shouldKeepAlive = shouldKeepAlive
    res.writeContinue()
  })
}

function drain(server: Server, sockets: ReadonlySet<Socket>, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
    // `close` ends only connections that are idle now; those that become idle after their response would stay open.
    const idleTimer = setInterval(() => {
      server.closeIdleConnections()
      // Node does not count a connection as idle before its first byte.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    }, IDLE_CHECK_MS)
    server.close(() => {
      clearTimeout(timer)
      clearInterval(idleTimer)
      resolve()
    })
  })
}
