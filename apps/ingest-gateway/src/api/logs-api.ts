import type { Principal } from '@millrace/auth'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import type { Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { type Params, readCount, readList, readText, readTime } from './read-params.js'

const PATH = '/api/v1/logs'
/** As many characters as log-shipper takes. */
const QUERY_LENGTH_MAX = 4096

/** GET and POST /api/v1/logs: log lines of the caller's tenant, newest first. */
export function addLogsApi(routes: ApiRoutes, deps: Pick<ApiDeps, 'logs'>): void {
  const search = async (res: Response, principal: Principal, params: Params): Promise<void> => {
    const startedAt = performance.now()
    const found = await deps.logs.searchLogs(
      {
        from: readTime(params, 'from'),
        to: readTime(params, 'to'),
        levels: readList(params, 'level'),
        services: readList(params, 'service'),
        host: readText(params, 'host'),
        traceId: readText(params, 'trace_id'),
        query: readText(params, 'q', QUERY_LENGTH_MAX),
        contains: readText(params, 'contains'),
        limit: readCount(params, 'limit', { min: 1, max: 100 }),
        cursor: readText(params, 'cursor', CURSOR_LENGTH_MAX),
      },
      onBehalfOf(principal),
    )
    const meta = {
      scanned: Number(found.scanned),
      skipped: Number(found.skipped),
      total: found.total === undefined ? null : Number(found.total),
      watermark: found.watermark?.toISOString() ?? null,
      took_ms: Math.round((performance.now() - startedAt) * 10) / 10,
    }
    const next = found.nextCursor === '' ? 'null' : JSON.stringify(found.nextCursor)
    // The lines are JSON texts already, so they are passed on without parsing.
    res
      .type('json')
      .send(`{"data":[${found.linesJson.join(',')}],"next_cursor":${next},"meta":${JSON.stringify(meta)}}`)
  }
  routes.get(PATH, 'read', (req, res, principal) => search(res, principal, req.query))
  routes.post(PATH, 'read', (req, res, principal) => search(res, principal, (req.body ?? {}) as Params))
}
