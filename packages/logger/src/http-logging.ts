import type { IncomingMessage, ServerResponse } from 'node:http'
import { runWithContext } from './log-context.js'
import type { LogLevel } from './log-level.js'
import type { Logger } from './logger.js'
import { createSpanId, createTraceId, parseTraceparent } from './traceparent.js'

/** What `createHttpLogging` reads of requests and writes about them. Only the logger is required. */
export interface HttpLoggingOptions {
  readonly logger: Logger
  /** The pattern of the route that answered, for example `/orders/:id`; lines are sampled by it. Default: Express' route. */
  readonly route?: (req: IncomingMessage) => string | undefined
  /** The user and session of a request; called when it has been answered. */
  readonly identity?: (req: IncomingMessage) => {
    readonly userId?: string | undefined
    readonly sessionId?: string | undefined
  }
  /** Requests that get no line, such as health checks. Default: none. */
  readonly skip?: (req: IncomingMessage) => boolean
}

/** A middleware as Express, Connect and Fastify's `onRequest` hook (with the raw request and response) take it. */
export type HttpLogging = (req: IncomingMessage, res: ServerResponse, next: () => void) => void

/**
 * Gives each request its trace: the one of a valid `traceparent` (W3C Trace Context), else of `X-Trace-ID` (32 or 16 hexadecimal digits or a UUID), else a new
 * one. The response has it in `X-Trace-ID`, and every line that is logged while the request is answered carries it. When the response has been sent or
 * the client has left, one line says method, path, route, status and duration: level error from status 500 on, warn from 400 on, else info.
 */
export function createHttpLogging(options: HttpLoggingOptions): HttpLogging {
  const { logger, route = expressRoute, identity, skip } = options
  return (req, res, next) => {
    const startedAt = performance.now()
    const context = traceOf(req)
    res.setHeader('x-trace-id', context.traceId)
    res.once('close', () => {
      if (skip?.(req) === true) return
      const isAborted = !res.writableFinished
      const status = isAborted ? 499 : res.statusCode
      const level = levelOf(status)
      if (!logger.isEnabled(level)) return
      runWithContext({ ...context, ...identity?.(req) }, () =>
        logger[level]('a request was answered', {
          method: req.method,
          path: pathOf(req),
          route: route(req),
          status,
          duration_ms: Math.round((performance.now() - startedAt) * 1000) / 1000,
          ...(isAborted && { aborted: true }),
        }),
      )
    })
    runWithContext(context, next)
  }
}

/** Ids of the trace that a request belongs to, with a span of its own. */
function traceOf({ headers }: IncomingMessage): { traceId: string; spanId: string } {
  const { traceparent } = headers
  const parent = typeof traceparent === 'string' ? parseTraceparent(traceparent) : undefined
  return { traceId: parent?.traceId ?? givenTraceId(headers['x-trace-id']) ?? createTraceId(), spanId: createSpanId() }
}

function givenTraceId(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string' || header.length > 36) return undefined
  const digits = UUID.test(header) ? header.replaceAll('-', '') : header
  if (!/^(?:[0-9a-f]{16}){1,2}$/i.test(digits) || /^0+$/.test(digits)) return undefined
  return digits.toLowerCase().padStart(32, '0')
}
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function levelOf(status: number): LogLevel {
  if (status >= 500) return 'error'
  return status >= 400 ? 'warn' : 'info'
}

/** Without the query, which often holds personal data. */
function pathOf(req: IncomingMessage): string {
  const url = (req as { originalUrl?: string }).originalUrl ?? req.url ?? ''
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}

function expressRoute(req: IncomingMessage): string | undefined {
  const { baseUrl = '', route } = req as { baseUrl?: string; route?: { path?: unknown } }
  return typeof route?.path === 'string' ? `${baseUrl}${route.path}` : undefined
}
