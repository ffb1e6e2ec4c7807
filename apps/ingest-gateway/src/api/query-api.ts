import { requireScope } from '@millrace/auth'
import type { QueryMeta, RunQueryRequest } from '@millrace/contracts'
import { isQueryKind } from '@millrace/contracts/http'
import type { Express, Request, Response } from 'express'
import { errors } from '../errors.js'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import { invalid, type Params } from './read-params.js'
import { readQuery } from './read-query.js'
import { sendQueryAnswer } from './send-query-answer.js'

/** GET and POST /api/v1/query/{kind}. */
export function addQueryApi(app: Express, deps: ApiDeps, { isEdgeShared }: { isEdgeShared: boolean }): void {
  const answer = async (req: Request, res: Response): Promise<void> => {
    const principal = await deps.identify(req)
    requireScope(principal, 'read')
    const kind = String(req.params.kind)
    if (!isQueryKind(kind)) throw errors.ROUTE_NOT_FOUND({ message: 'there is no such query kind' })
    const params: unknown = req.method === 'POST' ? req.body : req.query
    if (typeof params !== 'object' || params === null || Array.isArray(params))
      throw invalid('the body', 'a JSON object')
    const { request, isStrict } = readQuery(kind, params as Params)
    const response = await deps.analytics.runQuery(request, onBehalfOf(principal))
    if (isStrict && response.meta?.isBehind === true) throw notReached(request, response.meta)
    sendQueryAnswer(req, res, { response, caching: { isShared: isEdgeShared, keyId: principal.keyId } })
  }
  app.get('/api/v1/query/:kind', answer)
  app.post('/api/v1/query/:kind', answer)
}

/** Thrown here and not by analytics-query, because the gRPC client would retry the error and so wait a second time. */
function notReached({ minWatermark }: RunQueryRequest, { watermark }: QueryMeta): Error {
  const reached = watermark === undefined ? 'up to an unknown time' : `up to ${watermark.toISOString()}`
  return errors.WATERMARK_NOT_REACHED({
    message: `min_watermark is ${minWatermark?.toISOString()}, but events are stored ${reached}`,
    details: { watermark: watermark ?? null },
    retryAfterSeconds: 1,
  })
}
