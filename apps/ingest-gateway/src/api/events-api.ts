import { requireScope } from '@millrace/auth'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import type { Express, Request, Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import { type Params, readCount, readText, readTime, refuseUnknown } from './read-params.js'
import { readFilters } from './read-query.js'

interface Reading {
  /** The parameters there are. */
  readonly known: readonly string[]
  readonly userId: (req: Request) => string
}

const PARAMS = ['event', 'from', 'to', 'limit', 'cursor', 'message_id', 'filters']
const ONE_USERS: Reading = { known: PARAMS, userId: (req) => readText(req.params, 'id') }
const ANYBODYS: Reading = {
  known: [...PARAMS, 'user_id'],
  userId: (req) => readText(req.query as Params, 'user_id'),
}

/** GET /api/v1/events and /api/v1/users/{id}/timeline: stored events of the caller's tenant, newest first. */
export function addEventsApi(app: Express, deps: ApiDeps): void {
  const list = async (req: Request, res: Response, { known, userId }: Reading): Promise<void> => {
    const principal = await deps.identify(req)
    requireScope(principal, 'read')
    const params = req.query as Params
    refuseUnknown(params, known)
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
    // The rows are JSON texts already: they are passed on, not parsed.
    res
      .type('json')
      .send(
        `{"data":[${answer.eventsJson.join(',')}],"next_cursor":${answer.nextCursor === '' ? 'null' : JSON.stringify(answer.nextCursor)}}`,
      )
  }
  app.get('/api/v1/events', (req, res) => list(req, res, ANYBODYS))
  app.get('/api/v1/users/:id/timeline', (req, res) => list(req, res, ONE_USERS))
}
