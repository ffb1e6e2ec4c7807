import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'

/** GET /api/v1/ledger: the ledger of every stream for the caller's tenant. */
export function addLedgerApi(routes: ApiRoutes, deps: ApiDeps): void {
  routes.get('/api/v1/ledger', 'read', async (_req, res, principal) => {
    const { streams } = await deps.health.getLedger({}, onBehalfOf(principal))
    res.json({
      streams: streams.map((entry) => ({
        stream: entry.stream,
        tenant: entry.tenant,
        accepted: Number(entry.accepted),
        stored: Number(entry.stored),
        expired: Number(entry.expired),
        duplicate: Number(entry.duplicate),
        rejected: Number(entry.rejected),
        dead_lettered: Number(entry.deadLettered),
        in_flight: Number(entry.inFlight),
        lost: Number(entry.lost),
        balanced: entry.balanced,
      })),
    })
  })
}
