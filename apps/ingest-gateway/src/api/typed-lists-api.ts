import type { Principal } from '@millrace/auth'
import { CURSOR_LENGTH_MAX, type RunQueryResponse } from '@millrace/contracts'
import type { Request, Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { type Params, readCount, readFlag, readText, readTime } from './read-params.js'
import { sendQueryAnswer } from './send-query-answer.js'

/** GET /api/v1/sessions, /api/v1/users/{id}/sessions and /api/v1/activities: rows that typed events made, newest first. */
export function addTypedListsApi(routes: ApiRoutes, deps: ApiDeps): void {
  const listSessions = async (params: Params, caller: ReturnType<typeof onBehalfOf>, userId: string): Promise<Page> =>
    await deps.analytics.listSessions(
      {
        active: readFlag(params, 'active'),
        userId,
        sessionId: readText(params, 'session_id'),
        device: readText(params, 'device'),
        browser: readText(params, 'browser'),
        os: readText(params, 'os'),
        ...readPage(params),
      },
      caller,
    )
  routes.get('/api/v1/sessions', 'read', (req, res, principal) =>
    answer({ req, res, principal }, (params, caller) => listSessions(params, caller, readText(params, 'user_id'))),
  )
  routes.get('/api/v1/users/:id/sessions', 'read', (req, res, principal) =>
    answer({ req, res, principal }, (params, caller) => listSessions(params, caller, readText(req.params, 'id'))),
  )
  routes.get('/api/v1/activities', 'read', (req, res, principal) =>
    answer({ req, res, principal }, async (params, caller) => {
      const request = {
        userId: readText(params, 'user_id'),
        action: readText(params, 'action'),
        entityType: readText(params, 'entity_type'),
        entityId: readText(params, 'entity_id'),
        ...readPage(params),
      }
      return { ...(await deps.analytics.listActivities(request, caller)), summaryJson: Buffer.alloc(0) }
    }),
  )
}

type Page = Omit<RunQueryResponse, 'cache'>

interface ListRequest {
  readonly req: Request
  readonly res: Response
  readonly principal: Principal
}

async function answer(
  { req, res, principal }: ListRequest,
  list: (params: Params, caller: ReturnType<typeof onBehalfOf>) => Promise<Page>,
): Promise<void> {
  const response = { ...(await list(req.query, onBehalfOf(principal))), cache: undefined }
  // Not cacheable: sessions can change at any time, old ones too.
  await sendQueryAnswer(req, res, { response, caching: { isShared: false, keyId: principal.keyId } })
}

function readPage(params: Params) {
  return {
    from: readTime(params, 'from'),
    to: readTime(params, 'to'),
    limit: readCount(params, 'limit', { min: 1, max: 1000 }),
    cursor: readText(params, 'cursor', CURSOR_LENGTH_MAX),
  }
}
