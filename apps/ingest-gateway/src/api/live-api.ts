import type { WatchLiveResponse } from '@millrace/contracts'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { addLiveRoute, type LiveConnections, serverSentEvent } from './live-route.js'

/** GET /api/v1/live: server-sent events named `counts` once a second. */
export function addLiveApi(routes: ApiRoutes, deps: ApiDeps, connections: LiveConnections): void {
  addLiveRoute(routes, deps, {
    path: '/api/v1/live',
    connections,
    open: async function* (_req, holder, signal) {
      for await (const update of deps.consumer.watchLive({}, { ...onBehalfOf(holder), signal }))
        yield serverSentEvent('counts', toJson(update))
    },
  })
}

function toJson({ time, events, byEvent, watermark }: WatchLiveResponse): string {
  const counts = Object.fromEntries(Object.entries(byEvent).map(([event, count]) => [event, Number(count)]))
  return JSON.stringify({ time: time ?? null, events: Number(events), by_event: counts, watermark: watermark ?? null })
}
