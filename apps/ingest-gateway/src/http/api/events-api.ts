import { requireScope } from '@millrace/auth'
import type { Express, Request, Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import { type Params, readCount, readText, readTime } from './read-params.js'

/** GET /api/v1/events and /api/v1/users/{id}/timeline: stored events of the caller's tenant, newest first. */
export function addEventsApi(app: Express, deps: ApiDeps): void {
  const list = async (req: Request, res: Response, userId: string): Promise<void> => {
    const principal = await deps.identify(req)
    requireScope(principal, 'read')
    const params = req.query as Params
    const answer = await deps.analytics.listEvents(
      {
        event: readText(params, 'event'),
        userId,
        from: readTime(params, 'from'),
        to: readTime(params, 'to'),
        limit: readCount(params, 'limit', { min: 1, max: 1000 }),
        cursor: readText(params, 'cursor', 4096),
        messageId: readText(params, 'message_id'),
      },
      onBehalfOf(principal),
    )
    // The rows are JSON texts already: they are passed on, not parsed.
    res
      .type('json')
      .send(
        `{"data":[${answer.eventsJson.join(',')}],"next_cursor":${answer.nextCursor === '' ? 'null' : JSON.stringify(answer.nextCursor)}}`,
      )
  }
  app.get('/api/v1/events', (req, res) => list(req, res, readText(req.query as Params, 'user_id')))
  app.get('/api/v1/users/:id/timeline', (req, res) => list(req, res, readText(req.params, 'id')))
}
