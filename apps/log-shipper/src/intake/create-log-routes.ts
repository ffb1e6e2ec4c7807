import { isMillraceError, toMillraceError } from '@millrace/contracts'
import type { IntakeRequest, IntakeResponse, IntakeRoute } from '@millrace/http-intake'
import type { AcceptLogs } from './accept-logs.js'
import type { HttpSource, HttpSourceRoute, SourceRequest } from './http-source.js'

export interface LogRoutesConfig {
  readonly bodyBytesMax: number
}

/** Log lines do not reach a tenth of it, zeros reach 1,000. */
const INFLATE_RATIO_MAX = 100

export interface LogRoutesDeps {
  readonly acceptLogs: AcceptLogs
  /** @throws when no lines can be taken now */
  readonly checkIntake: () => void
  /** ms since 1970. */
  readonly now: () => number
}

/** The paths of all HTTP sources, for createIntake. */
export function createLogRoutes(
  sources: readonly HttpSource[],
  { bodyBytesMax }: LogRoutesConfig,
  deps: LogRoutesDeps,
): IntakeRoute[] {
  return sources.flatMap(({ name, routes }) =>
    routes.map((route) => ({
      path: route.path,
      method: route.method,
      // A GET request of a wire asks about the server and brings no lines.
      handlesHead: route.method === 'GET',
      scope: 'write' as const,
      keyIn: route.isPublic === true ? ('nowhere' as const) : ('header' as const),
      optionsStatus: route.optionsStatus,
      readKey: route.readKey,
      bodyBytesMax,
      bodyBytesSetting: 'LOG_BODY_BYTES_MAX',
      inflateRatioMax: INFLATE_RATIO_MAX,
      encodings: route.encodings,
      formatRefusal: createFormatRefusal(route),
      handle: (request: IntakeRequest) => acceptRequest(request, { name, route, bodyBytesMax, deps }),
    })),
  )
}

async function acceptRequest(
  request: IntakeRequest,
  {
    name,
    route,
    bodyBytesMax,
    deps,
  }: LogRoutesConfig & {
    name: string
    route: HttpSourceRoute
    deps: LogRoutesDeps
  },
): Promise<void> {
  const { chunks, principal } = request
  const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
  const { headers, url } = request
  const source: SourceRequest = { headers, url, body, bodyBytesMax, receivedAtMs: deps.now() }
  if (principal === undefined) {
    if (route.isPublic !== true) throw new Error('a route whose key is in a header has no principal')
    deps.checkIntake()
    request.respondWith(route.respond(source, { accepted: 0, rejections: [] }, undefined))
    return
  }
  let decoded: unknown
  const outcome = await deps.acceptLogs({ principal, source: name, traceparent: request.traceparent }, (sink) => {
    decoded = route.decode(source, sink)
    request.releaseBody()
  })
  request.respondWith(route.respond({ ...source, body: NOTHING }, outcome, decoded))
}

/** The body is given up before the answer waits for the stream. */
const NOTHING = Buffer.alloc(0)

function createFormatRefusal({ refuse }: HttpSourceRoute): IntakeRoute['formatRefusal'] {
  if (refuse === undefined) return undefined
  return (request, error, problem): IntakeResponse =>
    refuse(
      { headers: request.headers, url: request.url },
      {
        error: isMillraceError(error) ? error : toMillraceError(error),
        status: problem.status,
        detail: problem.detail,
      },
    )
}
