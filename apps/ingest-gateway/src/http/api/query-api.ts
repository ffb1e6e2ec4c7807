import { requireScope } from '@millrace/auth'
import type { Express, Request, Response } from 'express'
import { errors } from '../../errors.js'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import { invalid, type Params } from './read-params.js'
import { isQueryKind, readQuery } from './read-query.js'
import { sendQueryAnswer } from './send-query-answer.js'

/** GET and POST /api/v1/query/{kind}. */
export function addQueryApi(app: Express, deps: ApiDeps, { isEdgeShared }: { isEdgeShared: boolean }): void {
  const answer = async (req: Request, res: Response): Promise<void> => {
    const principal = await deps.identify(req)
    requireScope(principal, 'read')
    const kind = String(req.params.kind)
    if (!isQueryKind(kind)) throw errors.ROUTE_NOT_FOUND({ message: 'there is no query of this kind' })
    const params: unknown = req.method === 'POST' ? req.body : req.query
    if (typeof params !== 'object' || params === null || Array.isArray(params))
      throw invalid('the body', 'a JSON object')
    const response = await deps.analytics.runQuery(readQuery(kind, params as Params), onBehalfOf(principal))
    sendQueryAnswer(req, res, { response, caching: { isShared: isEdgeShared, keyId: principal.keyId } })
  }
  app.get('/api/v1/query/:kind', answer)
  app.post('/api/v1/query/:kind', answer)
}
