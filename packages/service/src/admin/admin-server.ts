import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { coreErrors, PROBLEM_CONTENT_TYPE, toProblem } from '@millrace/contracts'
import { isLogThreshold, logThresholds, type RootLogger } from '@millrace/logger'
import type { Metrics } from '@millrace/telemetry'
import type { Secret } from '../config/secret.js'
import { startHttpServer } from '../http/start-http-server.js'
import type { Started } from '../lifecycle/lifecycle.js'
import type { ReadinessReport } from '../lifecycle/readiness.js'

const BODY_BYTES_MAX = 1_024
const READS = ['GET', 'HEAD']
const METHODS: Readonly<Record<string, readonly string[] | undefined>> = {
  '/live': READS,
  '/ready': READS,
  '/startup': READS,
  '/metrics': READS,
  '/log-level': [...READS, 'PUT'],
}

/** Address, name and token of the admin server. */
export interface AdminServerConfig {
  readonly host: string
  readonly port: number
  /** When set, /metrics and /log-level require it. */
  readonly token: Secret | undefined
  /** In production /metrics and /log-level are closed without a token. */
  readonly isProduction: boolean
}

/** What the admin server shows and changes. */
export interface AdminServerDeps {
  readonly logger: RootLogger
  readonly metrics: Metrics
  readonly readiness: () => Promise<ReadinessReport>
  readonly phase: () => 'starting' | 'running' | 'stopping'
}

/**
 * Serves /live, /ready and /startup for probes, /metrics for Prometheus, and /log-level (GET, PUT). It depends on node:http only, so that it works
 * while everything else fails.
 */
export function startAdminServer(config: AdminServerConfig, deps: AdminServerDeps): Promise<Started<Server>> {
  const handler = (req: IncomingMessage, res: ServerResponse) => {
    answer(req, res, config, deps).catch((error: unknown) => sendError(res, error))
  }
  return startHttpServer(
    { handler, host: config.host, port: config.port, setting: 'ADMIN_PORT' },
    { logger: deps.logger },
  )
}

function answerOtherMethod(req: IncomingMessage, res: ServerResponse, methods: readonly string[]): void {
  res.setHeader('allow', [...methods, 'OPTIONS'].join(', '))
  if (req.method !== 'OPTIONS') throw coreErrors.METHOD_NOT_ALLOWED()
  res.writeHead(204).end()
}

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  config: AdminServerConfig,
  deps: AdminServerDeps,
): Promise<void> {
  const path = (req.url ?? '/').split('?', 1)[0] as string
  const methods = Object.hasOwn(METHODS, path) ? METHODS[path] : undefined
  if (methods === undefined) throw coreErrors.ROUTE_NOT_FOUND()
  if (!methods.includes(req.method as string)) return answerOtherMethod(req, res, methods)
  if (path === '/live') return sendJson(res, 200, { status: 'ok' })
  if (path === '/startup') return sendStatus(res, deps.phase() !== 'starting', deps.phase())
  if (path === '/ready') return await sendReadiness(res, deps)
  checkToken(req, config)
  if (path === '/metrics') {
    const text = await deps.metrics.expose()
    res.writeHead(200, { 'content-type': deps.metrics.contentType, 'cache-control': 'no-store' }).end(text)
    return
  }
  if (req.method === 'PUT') await changeLogLevel(req, deps.logger)
  sendJson(res, 200, { level: deps.logger.level })
}

async function sendReadiness(res: ServerResponse, deps: AdminServerDeps): Promise<void> {
  const phase = deps.phase()
  if (phase !== 'running') return sendStatus(res, false, phase)
  const { isReady, checks } = await deps.readiness()
  sendJson(res, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready', checks })
}

function checkToken(req: IncomingMessage, { token, isProduction }: AdminServerConfig): void {
  if (token === undefined) {
    if (isProduction) throw coreErrors.DENIED({ message: 'in production this path needs ADMIN_TOKEN to be set' })
    return
  }
  const given = digest((req.headers.authorization ?? '').replace(/^Bearer /i, ''))
  if (!timingSafeEqual(given, digest(token.reveal())))
    throw coreErrors.UNAUTHENTICATED({ message: 'this path needs the admin token' })
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** The body is `{"level":"debug"}` or the level alone. */
async function changeLogLevel(req: IncomingMessage, logger: RootLogger): Promise<void> {
  const body = (await readBody(req)).trim()
  const level = body.startsWith('{') ? parseLevel(body) : body.replaceAll('"', '')
  if (!isLogThreshold(level)) {
    throw coreErrors.INVALID_REQUEST({ message: `the level must be one of ${logThresholds.join(', ')}` })
  }
  const before = logger.level
  logger.setLevel(level)
  logger.audit('the log level was changed', {
    action: 'UPDATE',
    resource: 'log-level',
    before,
    after: level,
    result: 'SUCCESS',
  })
}

function parseLevel(body: string): unknown {
  try {
    return (JSON.parse(body) as { level?: unknown }).level
  } catch (error) {
    throw coreErrors.MALFORMED_BODY({ cause: error })
  }
}

async function readBody(req: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of req) {
    body += String(chunk)
    if (body.length > BODY_BYTES_MAX) throw coreErrors.BODY_TOO_LARGE()
  }
  return body
}

function sendStatus(res: ServerResponse, isOk: boolean, status: string): void {
  sendJson(res, isOk ? 200 : 503, { status })
}

function sendJson(res: ServerResponse, status: number, body: object): void {
  res
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
    .end(JSON.stringify(body))
}

function sendError(res: ServerResponse, error: unknown): void {
  const problem = toProblem(error)
  if (res.headersSent) res.destroy()
  else res.writeHead(problem.status, { 'content-type': PROBLEM_CONTENT_TYPE }).end(JSON.stringify(problem))
}
