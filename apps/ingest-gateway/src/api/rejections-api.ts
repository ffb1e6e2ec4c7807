import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import { KEPT_CODES } from '../rejections/rejection-codes.js'
import type { ApiDeps } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { invalid, type Params, readCount, readText, readTime } from './read-params.js'

const LIMIT = 100

/** GET /api/v1/rejections: the most recent rejected events and requests of the caller's tenant, from all gateways, newest first. */
export function addRejectionsApi(routes: ApiRoutes, deps: ApiDeps): void {
  routes.get('/api/v1/rejections', 'read', async (req, res, principal) => {
    const params = req.query as Params
    const { data, nextCursor } = await deps.rejections.list(principal.tenantId, {
      code: readCode(params),
      since: readTime(params, 'since'),
      limit: readCount(params, 'limit', { min: 1, max: 1000 }) || LIMIT,
      cursor: readText(params, 'cursor', CURSOR_LENGTH_MAX),
    })
    res.setHeader('cache-control', 'no-store')
    res.json({ data, next_cursor: nextCursor === '' ? null : nextCursor })
  })
}

/** An unknown code would give an empty list, which looks as if nothing had been rejected. */
function readCode(params: Params): string | undefined {
  const code = readText(params, 'code')
  if (code === '') return undefined
  if (!(KEPT_CODES as readonly string[]).includes(code)) throw invalid('code', `one of ${KEPT_CODES.join(', ')}`)
  return code
}
