import { requireScope } from '@millrace/auth'
import { CURSOR_LENGTH_MAX, type RunQueryResponse } from '@millrace/contracts'
import type { Express, Request, Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import { invalid, type Params, readCount, readText, readTime, refuseUnknown } from './read-params.js'
import { sendQueryAnswer } from './send-query-answer.js'

const PAGE = ['from', 'to', 'limit', 'cursor']
const OF_SESSIONS = ['active', 'session_id', 'device', 'browser', 'os', ...PAGE]
const OF_ACTIVITIES = ['user_id', 'action', 'entity_type', 'entity_id', ...PAGE]

/** GET /api/v1/sessions, /api/v1/users/{id}/sessions and /api/v1/activities: what typed events have left, newest first. */
export function addTypedListsApi(app: Express, deps: ApiDeps): void {
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
  app.get('/api/v1/sessions', (req, res) =>
    answer(deps, { req, res, known: ['user_id', ...OF_SESSIONS] }, (params, caller) =>
      listSessions(params, caller, readText(params, 'user_id')),
    ),
  )
  app.get('/api/v1/users/:id/sessions', (req, res) =>
    answer(deps, { req, res, known: OF_SESSIONS }, (params, caller) =>
      listSessions(params, caller, readText(req.params, 'id')),
    ),
  )
  app.get('/api/v1/activities', (req, res) =>
    answer(deps, { req, res, known: OF_ACTIVITIES }, async (params, caller) => {
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

interface Asked {
  readonly req: Request
  readonly res: Response
  /** The parameters there are. */
  readonly known: readonly string[]
}

async function answer(
  deps: ApiDeps,
  { req, res, known }: Asked,
  list: (params: Params, caller: ReturnType<typeof onBehalfOf>) => Promise<Page>,
): Promise<void> {
  const principal = await deps.identify(req)
  requireScope(principal, 'read')
  const params = req.query as Params
  refuseUnknown(params, known)
  const response = { ...(await list(params, onBehalfOf(principal))), cache: undefined }
  // No cache may keep it: sessions change at any time, those of long ago too.
  sendQueryAnswer(req, res, { response, caching: { isShared: false, keyId: principal.keyId } })
}

function readPage(params: Params) {
  return {
    from: readTime(params, 'from'),
    to: readTime(params, 'to'),
    limit: readCount(params, 'limit', { min: 1, max: 1000 }),
    cursor: readText(params, 'cursor', CURSOR_LENGTH_MAX),
  }
}

/** undefined when absent. */
function readFlag(params: Params, name: string): boolean | undefined {
  const text = readText(params, name)
  if (text === '') return undefined
  if (text !== 'true' && text !== 'false') throw invalid(name, 'true or false')
  return text === 'true'
}
