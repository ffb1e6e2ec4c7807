import type { Principal } from '@millrace/auth'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import type { Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { type Params, readCount, readText, readTime } from './read-params.js'
import { readFilters } from './read-query.js'

interface EventList {
  readonly params: Params
  readonly userId: string
}

/** GET /api/v1/events and /api/v1/users/{id}/timeline: stored events of the caller's tenant, newest first. */
export function addEventsApi(routes: ApiRoutes, deps: ApiDeps): void {
  const list = async (res: Response, principal: Principal, { params, userId }: EventList): Promise<void> => {
    const answer = await deps.analytics.listEvents(
      {
        event: readText(params, 'event'),
        userId,
        from: readTime(params, 'from'),
        to: readTime(params, 'to'),
        limit: readCount(params, 'limit', { min: 1, max: 1000 }),
        cursor: readText(params, 'cursor', CURSOR_LENGTH_MAX),
        messageId: readText(params, 'message_id'),
        filters: readFilters(params),
      },
      onBehalfOf(principal),
    )
    // The rows are JSON texts already, so they are passed on without parsing.
    res
      .type('json')
      .send(
        `{"data":[${answer.eventsJson.join(',')}],"next_cursor":${answer.nextCursor === '' ? 'null' : JSON.stringify(answer.nextCursor)}}`,
      )
  }
  routes.get('/api/v1/events', 'read', (req, res, principal) =>
    list(res, principal, { params: req.query, userId: readText(req.query, 'user_id') }),
  )
  routes.get('/api/v1/users/:id/timeline', 'read', (req, res, principal) =>
    list(res, principal, { params: req.query, userId: readText(req.params, 'id') }),
  )
}
