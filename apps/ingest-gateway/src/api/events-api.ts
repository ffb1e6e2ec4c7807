import { requireScope } from '@millrace/auth'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import type { Express, Request, Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import { type Params, readCount, readText, readTime, rejectUnknown } from './read-params.js'
import { readFilters } from './read-query.js'

interface EventList {
  /** Names of the parameters that the path accepts. */
  readonly known: readonly string[]
  readonly userId: (req: Request) => string
}

const PARAMS = ['event', 'from', 'to', 'limit', 'cursor', 'message_id', 'filters']
const ofOneUser: EventList = { known: PARAMS, userId: (req) => readText(req.params, 'id') }
const ofAllUsers: EventList = {
  known: [...PARAMS, 'user_id'],
  userId: (req) => readText(req.query as Params, 'user_id'),
}

/** GET /api/v1/events and /api/v1/users/{id}/timeline: stored events of the caller's tenant, newest first. */
export function addEventsApi(app: Express, deps: ApiDeps): void {
  const list = async (req: Request, res: Response, { known, userId }: EventList): Promise<void> => {
    const principal = await deps.identify(req)
    requireScope(principal, 'read')
    const params = req.query as Params
    rejectUnknown(params, known)
    const answer = await deps.analytics.listEvents(
      {
        event: readText(params, 'event'),
        userId: userId(req),
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
  app.get('/api/v1/events', (req, res) => list(req, res, ofAllUsers))
  app.get('/api/v1/users/:id/timeline', (req, res) => list(req, res, ofOneUser))
}
