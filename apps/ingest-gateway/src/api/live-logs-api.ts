import type { WatchLogsResponse } from '@millrace/contracts'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { addLiveRoute, type LiveConnections, serverSentEvent } from './live-route.js'
import { readConditions } from './logs-api.js'
import { readList } from './read-params.js'

/**
 * GET /api/v1/logs/live: log lines as they arrive, as server-sent events named `lines`. Each has an id, from which a client that reconnects with
 * Last-Event-ID continues.
 */
export function addLiveLogsApi(routes: ApiRoutes, deps: ApiDeps, connections: LiveConnections): void {
  addLiveRoute(routes, deps, {
    path: '/api/v1/logs/live',
    connections,
    open: (req, holder, signal) => {
      const lastEventId = req.headers['last-event-id']
      const request = {
        conditions: readConditions(req.query),
        fields: readList(req.query, 'fields'),
        position: typeof lastEventId === 'string' ? lastEventId : '',
      }
      return toEvents(deps.logs.watchLogs(request, { ...onBehalfOf(holder), signal }))
    },
  })
}

async function* toEvents(updates: AsyncIterable<WatchLogsResponse>): AsyncGenerator<string> {
  for await (const { linesJson, dropped, hasGap, position } of updates) {
    const notes = JSON.stringify({ dropped: Number(dropped), has_gap: hasGap }).slice(1)
    yield serverSentEvent('lines', `{"lines":[${linesJson.join(',')}],${notes}`, position)
  }
}
