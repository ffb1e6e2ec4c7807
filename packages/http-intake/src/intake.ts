import type { IncomingMessage, ServerResponse } from 'node:http'
import { authErrors } from '@millrace/auth'
import { parseTraceparent } from '@millrace/logger'
import { readRequestIds } from '@millrace/service'
import type { Tracer } from '@millrace/telemetry'
import { bodyTooLarge, type ContentEncoding, decompress, readContentEncoding } from './decompress.js'
import { intakeErrors } from './errors.js'
import { type IntakeDeps, IntakeRequest } from './intake-request.js'
import type { IntakeRoute } from './intake-route.js'
import { RoutePaths } from './route-paths.js'

/**
 * A body over its limit is still read, and thrown away, up to this size. Most clients read the response only after they have sent everything;
 * closing the connection earlier would hide the reason from them.
 */
const DISCARD_BYTES_MAX = 16 * 1024 * 1024

/**
 * A handler for the routes, to be called in front of Express: it returns false when the path belongs to none of them. It checks method, key,
 * scope, encoding and size before `route.handle` sees a request. One IntakeRequest is the only object it creates for each.
 */
export function createIntake(
  routes: readonly IntakeRoute[],
  deps: IntakeDeps,
): (req: IncomingMessage, res: ServerResponse) => boolean {
  const paths = new RoutePaths(routes)
  return function handleIntake(req, res) {
    const url = req.url as string
    const query = url.indexOf('?')
    const path = query < 0 ? url : url.slice(0, query)
    // Clients whose host ends in a slash send two of them.
    const found = paths.find(path) ?? (path.includes('//') ? paths.find(path.replace(/\/{2,}/g, '/')) : undefined)
    if (found === undefined) return false
    const { method } = req
    const route = found.find((one) => {
      const allowed = one.method ?? 'POST'
      return method === allowed || (allowed === 'GET' && method === 'HEAD')
    })
    if (route !== undefined) begin(req, res, { route, deps })
    else {
      const allow = allowedMethods(found)
      if (method === 'OPTIONS') deps.responses.options(req, res, allow, found[0]?.optionsStatus)
      else deps.responses.problem(req, res, intakeErrors.METHOD_NOT_ALLOWED({ details: { method, allow } }), { allow })
    }
    return true
  }
}

function allowedMethods(routes: readonly IntakeRoute[]): string {
  const methods = routes.flatMap(({ method = 'POST' }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return [...methods, 'OPTIONS'].join(', ')
}

/**
 * Checks the key first, so that its refusal does not depend on the body. While the key is looked up the body is not read, so it takes no memory.
 */
function begin(
  req: IncomingMessage,
  res: ServerResponse,
  { route, deps }: { route: IntakeRoute; deps: IntakeDeps },
): void {
  const request = new IntakeRequest(req, res, { route, deps })
  try {
    if (req.method === 'HEAD' && route.handlesHead !== true) {
      request.respond('')
      return
    }
    const pending = verifyKey(request, route, deps)
    if (deps.tracer.isOn) trace(request, { res, route, tracer: deps.tracer })
    if (pending === undefined) takeBody(request, route)
    else
      pending.then(() => takeBody(request, route)).catch((error: unknown) => request.refuse(error, isEndless(request)))
  } catch (error) {
    request.refuse(error, isEndless(request))
  }
}

/** Whether it announces more than is ever thrown away. */
function isEndless({ headers }: IntakeRequest): boolean {
  return Number(headers['content-length']) > DISCARD_BYTES_MAX
}

/** Checks the headers that describe the body, reads it, and hands it over. */
function takeBody(request: IntakeRequest, route: IntakeRoute): void {
  if (route.method === 'GET') {
    deliver(request, { route, encoding: undefined })
    return
  }
  const encoding = readContentEncoding(request.headers['content-encoding'], route.encodings)
  if (isEndless(request)) throw bodyTooLarge(route, `${request.headers['content-length']} bytes`)
  receive(request, route, () => deliver(request, { route, encoding }))
}

/** Verifies the key in the header or the URL, if there is one; the promise of its lookup, or undefined when nothing has to be waited for. */
function verifyKey(request: IntakeRequest, route: IntakeRoute, { verifier }: IntakeDeps): Promise<unknown> | undefined {
  if (route.keyIn === 'nowhere') return undefined
  const own = route.readKey?.(request.req)
  if (own !== undefined) {
    const verified = request.authenticate(own)
    return verified instanceof Promise ? verified : undefined
  }
  const { authorization } = request.headers
  const key = authorization === undefined ? readParameter(request.url, route.keyParameter) : undefined
  if (authorization === undefined && key === undefined) {
    if (route.keyIn === 'header') throw authErrors.KEY_MISSING()
    return undefined
  }
  const verified = key === undefined ? request.accept(verifier.verify(authorization)) : request.authenticate(key)
  return verified instanceof Promise ? verified : undefined
}

/** The first value of a query parameter; undefined when it is absent or empty. */
function readParameter(url: string, name: string | undefined): string | undefined {
  const query = url.indexOf('?')
  if (name === undefined || query < 0) return undefined
  return new URLSearchParams(url.slice(query + 1)).get(name) || undefined
}

/** A span from the headers to the end of the response. */
function trace(
  request: IntakeRequest,
  { res, route, tracer }: { res: ServerResponse; route: IntakeRoute; tracer: Tracer },
): void {
  const parent = readRequestIds(request.headers).traceparent
  const method = request.req.method as string
  void tracer.withSpan(
    `HTTP ${method}`,
    { 'http.request.method': method, 'http.route': route.path },
    async (span) => {
      if (parseTraceparent(span.traceparent)?.isSampled) request.traceparent = span.traceparent
      await new Promise((resolve) => res.once('close', resolve))
      span.setAttributes({ 'http.response.status_code': res.statusCode })
      if (res.statusCode >= 500) span.recordError({ code: `HTTP_${res.statusCode}` })
    },
    { kind: 'server', parent },
  )
}

/** Collects the body and calls `done` when it is complete and within its limit. */
function receive(request: IntakeRequest, route: IntakeRoute, done: () => void): void {
  const { req } = request
  req.on('data', (chunk: Buffer) => {
    request.bytes += chunk.length
    if (request.bytes <= route.bodyBytesMax) request.chunks.push(chunk)
    else {
      request.releaseBody()
      if (request.bytes > DISCARD_BYTES_MAX) {
        request.refuse(bodyTooLarge(route, `more than ${DISCARD_BYTES_MAX} bytes`), true)
      }
    }
  })
  req.on('end', () => {
    if (request.bytes > route.bodyBytesMax) request.refuse(bodyTooLarge(route, `${request.bytes} bytes`))
    else done()
  })
}

/** Where a complete body goes, and how it is compressed. */
interface Steps {
  readonly route: IntakeRoute
  readonly encoding: ContentEncoding | undefined
}

/** Hands the complete request over: within the same tick unless its body is compressed. */
function deliver(request: IntakeRequest, { route, encoding }: Steps): void {
  if (encoding !== undefined) {
    deliverLater(request, { route, encoding }).catch((error: unknown) => request.refuse(error))
    return
  }
  try {
    const handled = route.handle(request)
    if (handled !== undefined) handled.catch((error: unknown) => request.refuse(error))
  } catch (error) {
    request.refuse(error)
  }
}

async function deliverLater(
  request: IntakeRequest,
  { route, encoding }: { readonly route: IntakeRoute; readonly encoding: ContentEncoding },
): Promise<void> {
  const { chunks } = request
  const packed = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
  request.releaseBody()
  const plain = decompress(packed, encoding, route)
  const body = plain instanceof Promise ? await plain : plain
  request.chunks = [body]
  request.bytes = body.length
  await route.handle(request)
}
