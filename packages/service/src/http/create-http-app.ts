import { coreErrors, KIND_TRAITS } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { HttpMetrics, Tracer } from '@millrace/telemetry'
import type { ErrorRequestHandler, Express, RequestHandler } from 'express'
import { answerOtherMethods } from './answer-other-methods.js'
import { refuseRepeatedKeys } from './repeated-keys.js'
import { createRequestScope, routeOf } from './request-scope.js'
import { createSecurityHeaders } from './security-headers.js'
import { sendProblem } from './send-problem.js'
import { toHttpError } from './to-http-error.js'

/** Limits of an Express app. */
export interface HttpAppConfig {
  /** Largest JSON body after decompression, in bytes. Default 1 MiB. `false`: routes read bodies themselves. */
  readonly bodyBytesMax?: number | false
  /** A response that has not begun within this time becomes 503, in ms. Default 30,000. */
  readonly handlerTimeoutMs?: number
  /** Express' `trust proxy`. Default false: X-Forwarded-* headers are ignored. */
  readonly trustProxy?: boolean | number | string
}

/** Routes of an Express app, and what it reports to. */
export interface HttpAppDeps {
  readonly logger: Logger
  readonly metrics: HttpMetrics
  readonly tracer: Tracer
  /** Runs before bodies are read, so that its headers are also on the responses to bodies that are refused. */
  readonly before?: RequestHandler | undefined
  /** Runs after `before`, for methods that the path has, and before the body is read: for checks that must not depend on the body. */
  readonly beforeBody?: RequestHandler | undefined
  /** Adds the routes. Errors that they throw become problem documents. */
  readonly routes: (app: Express) => void
}

/**
 * An Express app with helmet's headers, request and trace ids accepted or created, metrics by route, a limit on bodies and on time, and
 * RFC 9457 problem documents for every error, for unknown addresses, and for methods that an address does not have. Express is loaded here, so services without HTTP do not carry it.
 */
export async function createHttpApp(config: HttpAppConfig, deps: HttpAppDeps): Promise<Express> {
  const { default: express } = await import('express')
  const securityHeaders = await createSecurityHeaders()
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('trust proxy', config.trustProxy ?? false)
  app.set('query parser', 'simple')
  app.use(createRequestScope(deps))
  app.use((_req, res, next) => {
    for (let i = 0; i < securityHeaders.length; i += 2)
      res.setHeader(securityHeaders[i] as string, securityHeaders[i + 1] as string)
    next()
  })
  app.use(createHandlerTimeout(config.handlerTimeoutMs ?? 30_000))
  if (deps.before !== undefined) app.use(deps.before)
  app.use(answerOtherMethods)
  if (deps.beforeBody !== undefined) app.use(deps.beforeBody)
  if (config.bodyBytesMax !== false) {
    const verify = (_req: unknown, _res: unknown, body: Buffer) => refuseRepeatedKeys(body.toString('utf8'))
    app.use(express.json({ limit: config.bodyBytesMax ?? 1_048_576, inflate: true, verify }))
  }
  deps.routes(app)
  app.use(answerUnknownRoute)
  app.use(createErrorHandler(deps.logger))
  return app
}

function createHandlerTimeout(timeoutMs: number): RequestHandler {
  return function limitHandlerTime(_req, res, next) {
    const timer = setTimeout(() => {
      if (!res.headersSent) sendProblem(res, coreErrors.DEADLINE_EXCEEDED())
    }, timeoutMs)
    res.once('close', () => clearTimeout(timer))
    next()
  }
}

const answerUnknownRoute: RequestHandler = (req) => {
  // A path may contain a write key (Segment's settings), and this message is logged.
  const path = req.path.replace(/\bmr_[\w-]+/g, 'mr_…').slice(0, 200)
  throw coreErrors.ROUTE_NOT_FOUND({ message: `there is no route for ${req.method} ${path}` })
}

function createErrorHandler(logger: Logger): ErrorRequestHandler {
  return function answerWithProblem(error, req, res, _next) {
    const known = toHttpError(error)
    const level = KIND_TRAITS[known.kind].logLevel
    if (logger.isEnabled(level))
      logger[level]('a request failed', {
        error: known,
        method: req.method,
        route: routeOf(req),
        status: known.httpStatus,
      })
    sendProblem(res, known)
  }
}
