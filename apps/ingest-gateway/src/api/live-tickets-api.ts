import { authErrors, type RateLimiter } from '@millrace/auth'
import type { LiveTickets } from '../live/live-tickets.js'
import type { ApiRoutes } from './api-routes.js'

interface LiveTicketDeps {
  readonly tickets: Pick<LiveTickets, 'issue'>
  readonly limiter: Pick<RateLimiter, 'take'>
}

/** POST /api/v1/live/tickets: a ticket with which a page opens /api/v1/live by EventSource, which cannot send a key. It costs a token of the tenant's rate limit. */
export function addLiveTicketsApi(routes: ApiRoutes, { tickets, limiter }: LiveTicketDeps): void {
  routes.post('/api/v1/live/tickets', 'read', async (_req, res, principal) => {
    const decision = await limiter.take(principal.tenantId, 1, principal.limits)
    if (!decision.ok) throw authErrors.RATE_LIMITED({ retryAfterSeconds: decision.retryAfterMs / 1000 })
    const { ticket, expiresAt } = await tickets.issue(principal)
    res.setHeader('cache-control', 'no-store')
    res.status(201).json({ ticket, expires_at: expiresAt, url: `/api/v1/live?ticket=${ticket}` })
  })
}
