import { requireScope } from '@millrace/auth'
import { CURSOR_LENGTH_MAX, type RunQueryResponse } from '@millrace/contracts'
import type { Express, Request, Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import { invalid, type Params, readCount, readText, readTime, rejectUnknown } from './read-params.js'
import { sendQueryAnswer } from './send-query-answer.js'

const PAGE_PARAMS = ['from', 'to', 'limit', 'cursor']
const SESSION_PARAMS = ['active', 'session_id', 'device', 'browser', 'os', ...PAGE_PARAMS]
const ACTIVITY_PARAMS = ['user_id', 'action', 'entity_type', 'entity_id', ...PAGE_PARAMS]

/** GET /api/v1/sessions, /api/v1/users/{id}/sessions and /api/v1/activities: rows that typed events made, newest first. */
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
    answer(deps, { req, res, known: ['user_id', ...SESSION_PARAMS] }, (params, caller) =>
      listSessions(params, caller, readText(params, 'user_id')),
    ),
  )
  app.get('/api/v1/users/:id/sessions', (req, res) =>
    answer(deps, { req, res, known: SESSION_PARAMS }, (params, caller) =>
      listSessions(params, caller, readText(req.params, 'id')),
    ),
  )
  app.get('/api/v1/activities', (req, res) =>
    answer(deps, { req, res, known: ACTIVITY_PARAMS }, async (params, caller) => {
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
  /** Names of the parameters that the path accepts. */
  readonly known: readonly string[]
}

async function answer(
  deps: ApiDeps,
  { req, res, known }: ListRequest,
  list: (params: Params, caller: ReturnType<typeof onBehalfOf>) => Promise<Page>,
): Promise<void> {
  const principal = await deps.identify(req)
  requireScope(principal, 'read')
  const params = req.query as Params
  rejectUnknown(params, known)
  const response = { ...(await list(params, onBehalfOf(principal))), cache: undefined }
  // Not cacheable: sessions can change at any time, old ones too.
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
