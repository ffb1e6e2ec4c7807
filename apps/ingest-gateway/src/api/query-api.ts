import type { Principal } from '@millrace/auth'
import type { QueryKindName, QueryMeta, RunQueryRequest } from '@millrace/contracts'
import { queryKinds } from '@millrace/contracts/http'
import type { Request, Response } from 'express'
import { errors } from '../errors.js'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { CompressedAnswers } from './compression/compressed-answers.js'
import type { Params } from './read-params.js'
import { readQuery } from './read-query.js'
import { sendQueryAnswer } from './send-query-answer.js'

/** GET and POST /api/v1/query/{kind}. */
export function addQueryApi(routes: ApiRoutes, deps: ApiDeps, { isEdgeShared }: { isEdgeShared: boolean }): void {
  const compressed = new CompressedAnswers()
  const answer = async (kind: QueryKindName, { req, res, principal }: QueryCall): Promise<void> => {
    const { request, isStrict } = readQuery(kind, (req.method === 'POST' ? req.body : req.query) as Params)
    const response = await deps.analytics.runQuery(request, onBehalfOf(principal))
    if (isStrict && response.meta?.isBehind === true) throw notReached(request, response.meta)
    const caching = { isShared: isEdgeShared, keyId: principal.keyId }
    await sendQueryAnswer(req, res, { response, caching, compressed })
  }
  for (const kind of Object.keys(queryKinds) as QueryKindName[]) {
    const path = `/api/v1/query/${kind}`
    const handle = (req: Request, res: Response, principal: Principal) => answer(kind, { req, res, principal })
    routes.get(path, 'read', handle)
    routes.post(path, 'read', handle, { checksFields: true })
  }
}

interface QueryCall {
  readonly req: Request
  readonly res: Response
  readonly principal: Principal
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
