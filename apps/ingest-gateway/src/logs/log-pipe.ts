import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { coreErrors, LOG_WIRE_PATHS } from '@millrace/contracts'
import { createPathMatcher, type ResponseWriter } from '@millrace/http-intake'
import type { Logger } from '@millrace/logger'
import type { HttpMetrics } from '@millrace/telemetry'

const isLogPath = createPathMatcher(LOG_WIRE_PATHS)
/** Label of metrics. */
const ROUTE = 'log wires'

/** Headers that belong to one connection (RFC 9110, section 7.6.1). Expect was answered by this server. */
const OWN_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
])
const RETRY_AFTER_SECONDS = 1

export interface LogPipeConfig {
  /** URL of log-shipper's HTTP server. */
  readonly url: string
  /** How long log-shipper may make no progress with a request, in ms. It answers within some seconds even when the stream hangs. */
  readonly timeoutMs: number
  /** Requests in progress; further ones get 503 at once, so that none waits unseen for a connection. Default 1,024. */
  readonly inProgressMax?: number
}

export interface LogPipeDeps {
  readonly responses: ResponseWriter
  readonly metrics: Pick<HttpMetrics, 'observe'>
  readonly logger: Logger
}

/** A pipe to log-shipper. `handle` returns false when the path is no wire of log lines. */
export interface LogPipe {
  readonly handle: (req: IncomingMessage, res: ServerResponse) => boolean
  close(): void
}

/**
 * Passes requests with log lines on to log-shipper without reading them, so that one URL is enough for clients and a flood of log lines is not parsed
 * beside the events. Bytes flow at the speed of the slower side. While log-shipper cannot be reached, clients get 503 with Retry-After.
 */
export function createLogPipe({ url, timeoutMs, inProgressMax = 1024 }: LogPipeConfig, deps: LogPipeDeps): LogPipe {
  const agent = new Agent({ keepAlive: true })
  const target = new URL(url)
  let inProgress = 0
  return {
    handle(req, res) {
      const requested = req.url as string
      const query = requested.indexOf('?')
      if (!isLogPath(query < 0 ? requested : requested.slice(0, query))) return false
      if (inProgress >= inProgressMax) {
        const busy = coreErrors.DEPENDENCY_UNAVAILABLE({
          message: `log-shipper has ${inProgressMax} requests of this gateway in progress`,
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        })
        deps.responses.problem(req, res, busy, { isLast: true })
        return true
      }
      inProgress++
      res.once('close', () => {
        inProgress--
      })
      pass(req, res, { target, agent, timeoutMs, deps })
      return true
    },
    close: () => agent.destroy(),
  }
}

interface Passage {
  readonly target: URL
  readonly agent: Agent
  readonly timeoutMs: number
  readonly deps: LogPipeDeps
}

function pass(req: IncomingMessage, res: ServerResponse, { target, agent, timeoutMs, deps }: Passage): void {
  const startedAt = performance.now()
  res.once('close', () => {
    const labels = { method: req.method as string, route: ROUTE, status: String(res.statusCode) }
    deps.metrics.observe(labels, (performance.now() - startedAt) / 1000)
  })
  const { hostname, port } = target
  const upstream = request({
    agent,
    hostname,
    port,
    method: req.method,
    path: req.url,
    headers: ['Host', target.host, ...passedHeaders(req.rawHeaders, req.socket.remoteAddress)],
    timeout: timeoutMs,
  })
  const fail = (cause: unknown) => {
    req.unpipe(upstream)
    upstream.destroy()
    if (res.headersSent) res.destroy()
    else if (!res.destroyed) {
      deps.logger.warn('log-shipper cannot be reached; clients get 503 and send their log lines again', {
        error: cause,
      })
      const unavailable = coreErrors.DEPENDENCY_UNAVAILABLE({ retryAfterSeconds: RETRY_AFTER_SECONDS, cause })
      deps.responses.problem(req, res, unavailable, { isLast: !req.complete })
    }
  }
  upstream.once('error', fail)
  upstream.on('timeout', () => {
    // Nothing happens either while a slow client sends nothing; the server of this process has a time limit for that.
    const waitsForClient = (!req.complete && !upstream.writableNeedDrain) || res.writableNeedDrain
    if (!waitsForClient) upstream.destroy(new Error('log-shipper does not answer'))
  })
  upstream.once('response', (answer) => {
    // An answer before the end of the body is a refusal: the rest is not read, so the connection cannot be used again.
    const isEarly = !req.complete
    res.writeHead(
      answer.statusCode as number,
      isEarly ? [...answerHeaders(answer.rawHeaders), 'Connection', 'close'] : answerHeaders(answer.rawHeaders),
    )
    answer.pipe(res)
    answer.once('error', fail)
  })
  // The client has gone away: log-shipper need not go on.
  res.once('close', () => upstream.destroy())
  req.pipe(upstream)
}

/** Names and values in turn, as node:http takes them, with repeated headers kept. */
function passedHeaders(raw: readonly string[], address: string | undefined): string[] {
  const kept = answerHeaders(raw)
  const length = raw.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === 'transfer-encoding')
  if (length >= 0) kept.push('Transfer-Encoding', 'chunked')
  if (address !== undefined) kept.push('X-Forwarded-For', address)
  return kept
}

function answerHeaders(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    if (!OWN_HEADERS.has(name.toLowerCase())) kept.push(name, raw[at + 1] as string)
  }
  return kept
}
