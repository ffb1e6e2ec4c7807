import { runWithContext } from '@millrace/logger'
import type { HttpMetrics, Span, Tracer } from '@millrace/telemetry'
import type { Request, RequestHandler, Response } from 'express'
import { readRequestIds } from './request-context.js'

const KNOWN_METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])

/** Middleware that gives a request its ids, its span and its metrics. Later handlers run inside of them. */
export function createRequestScope({ metrics, tracer }: { metrics: HttpMetrics; tracer: Tracer }): RequestHandler {
  return function openRequestScope(req, res, next) {
    const ids = readRequestIds(req.headers)
    const method = KNOWN_METHODS.has(req.method) ? req.method : 'OTHER'
    const startedAt = performance.now()
    res.setHeader('x-request-id', ids.requestId)
    metrics.inFlight.add(1)
    const closed = () => {
      metrics.inFlight.add(-1)
      metrics.observe({ method, route: routeOf(req), status: statusOf(res) }, (performance.now() - startedAt) / 1000)
    }
    if (!tracer.isOn) {
      res.once('close', closed)
      res.setHeader('x-trace-id', ids.traceId)
      runWithContext({ requestId: ids.requestId, traceId: ids.traceId, spanId: ids.spanId }, next)
      return
    }
    const trace = (span: Span) =>
      new Promise<void>((resolve) => {
        res.once('close', () => {
          closed()
          span.setAttributes({ 'http.route': routeOf(req), 'http.response.status_code': res.statusCode })
          if (res.statusCode >= 500) span.recordError({ code: `HTTP_${res.statusCode}` })
          resolve()
        })
        const current = tracer.current() ?? ids
        res.setHeader('x-trace-id', current.traceId)
        runWithContext({ requestId: ids.requestId, traceId: current.traceId, spanId: current.spanId }, next)
      })
    void tracer.withSpan(`HTTP ${method}`, { 'http.request.method': method }, trace, {
      kind: 'server',
      parent: ids.traceparent,
    })
  }
}

/** The pattern of the route. Raw paths would create a metric series for every path that a client tries. */
export function routeOf(req: Request): string {
  const path: unknown = req.route?.path
  return typeof path === 'string' ? `${req.baseUrl}${path}` : 'unmatched'
}

/** `aborted` when the client left before the response was complete. */
function statusOf(res: Response): string {
  return res.writableFinished ? String(res.statusCode) : 'aborted'
}
