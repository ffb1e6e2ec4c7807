import { isMillraceError, toMillraceError } from '@millrace/contracts'
import type { IntakeRequest, IntakeResponse, IntakeRoute } from '@millrace/http-intake'
import type { AcceptLogs } from './accept-logs.js'
import type { HttpSource, HttpSourceRoute, SourceRequest } from './http-source.js'

export interface LogRoutesConfig {
  readonly bodyBytesMax: number
}

/** The paths of all HTTP sources, for createIntake. */
export function createLogRoutes(
  sources: readonly HttpSource[],
  { bodyBytesMax }: LogRoutesConfig,
  deps: { readonly acceptLogs: AcceptLogs; readonly now: () => number },
): IntakeRoute[] {
  return sources.flatMap(({ name, routes }) =>
    routes.map((route) => ({
      path: route.path,
      method: route.method,
      // A GET request of a wire asks about the server and brings no lines.
      handlesHead: route.method === 'GET',
      scope: 'write' as const,
      keyIn: 'header' as const,
      readKey: route.readKey,
      bodyBytesMax,
      bodyBytesSetting: 'LOG_BODY_BYTES_MAX',
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
    deps: { readonly acceptLogs: AcceptLogs; readonly now: () => number }
  },
): Promise<void> {
  const { chunks, principal } = request
  if (principal === undefined) throw new Error('a route whose key is in a header has no principal')
  const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
  const { headers, url } = request
  const source: SourceRequest = { headers, url, body, bodyBytesMax, receivedAtMs: deps.now() }
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
