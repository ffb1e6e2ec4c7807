import { type ApiKey, CONFIRMATIONS, type Confirmation, type Principal, SCOPES, type Scope } from '@millrace/auth'
import { DAY_MS, SECOND_MS } from '@millrace/contracts'
import type { Request } from 'express'
import type { ApiDeps } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { invalid, type Params, readCount, readList, readText, readTime } from './read-params.js'

const OVERLAP_SECONDS_MAX = (30 * DAY_MS) / SECOND_MS

/** Keys of the caller's tenant, for admin keys: GET and POST /api/v1/keys, POST …/{id}/rotate, and DELETE …/{id}, which revokes. */
export function addKeysApi(routes: ApiRoutes, deps: ApiDeps): void {
  routes.get('/api/v1/keys', 'admin', async (_req, res, principal) => {
    const keys = await deps.keys.list(principal.tenantId)
    res.json({ data: keys.map(toJson) })
  })
  routes.post('/api/v1/keys', 'admin', async (req, res, principal) => {
    const params = (req.body ?? {}) as Params
    const expiresAt = readExpiry(params)
    const origin = originOf(req, principal)
    const request = {
      tenantId: principal.tenantId,
      origin,
      name: readText(params, 'name', 100),
      scopes: readScopes(params),
    }
    const created = await deps.keys.create(expiresAt === undefined ? request : { ...request, expiresAt })
    res.status(201).json({ ...toJson(created), key: created.key })
  })
  routes.post('/api/v1/keys/:id/rotate', 'admin', async (req, res, principal) => {
    const params = (req.body ?? {}) as Params
    const request = { overlapMs: readOverlapMs(params), ...readCaller(req, principal) }
    const created = await deps.keys.rotate(principal.tenantId, readText(req.params, 'id'), request)
    res.status(201).json({ ...toJson(created), key: created.key })
  })
  routes.delete('/api/v1/keys/:id', 'admin', async (req, res, principal) => {
    await deps.keys.revoke(principal.tenantId, readText(req.params, 'id'), readCaller(req, principal))
    res.status(204).end()
  })
}

/** Undefined when absent: the key never expires. An empty text does not mean that. */
function readExpiry(params: Params): Date | undefined {
  if (params.expires_at === undefined || params.expires_at === null) return undefined
  const expiresAt = readTime(params, 'expires_at')
  if (expiresAt === undefined || expiresAt.getTime() <= Date.now())
    throw invalid('expires_at', 'a time in the future such as 2027-01-31T08:00:00Z')
  return expiresAt
}

/** Undefined when absent. An empty text does not mean 0, which would end the old key at once. */
function readOverlapMs(params: Params): number | undefined {
  const { overlap_seconds: value } = params
  if (value === undefined || value === null) return undefined
  if (value === '') throw invalid('overlap_seconds', `a whole number from 0 to ${OVERLAP_SECONDS_MAX}`)
  return readCount(params, 'overlap_seconds', { min: 0, max: OVERLAP_SECONDS_MAX }) * SECOND_MS
}

function readCaller(req: Request, principal: Principal) {
  return {
    callerId: principal.keyId,
    confirmed: readConfirmed(req.query),
    origin: originOf(req, principal),
  }
}

/** For audit entries: which key did it, and from where. */
function originOf(req: Request, { keyId }: Principal) {
  return { actor: `key:${keyId}`, ip: req.ip, userAgent: req.get('user-agent')?.slice(0, 512) }
}

/** `?confirm=self`, `?confirm=self,expiry`: what may happen to the caller's own access. */
function readConfirmed(query: Params): Confirmation[] {
  const confirmed = readList(query, 'confirm')
  const known = confirmed.filter((one): one is Confirmation => (CONFIRMATIONS as readonly string[]).includes(one))
  if (known.length !== confirmed.length) throw invalid('confirm', `a list of ${CONFIRMATIONS.join(', ')}`)
  return known
}

function readScopes(params: Params): Scope[] {
  const scopes = readList(params, 'scopes')
  const known = scopes.filter((scope): scope is Scope => (SCOPES as readonly string[]).includes(scope))
  if (known.length === 0 || known.length !== scopes.length) throw invalid('scopes', `a list of ${SCOPES.join(', ')}`)
  return known
}

function toJson(key: ApiKey): object {
  return {
    id: key.id,
    name: key.name,
    hint: key.hint,
    scopes: key.scopes,
    created_at: key.createdAt,
    expires_at: key.expiresAt ?? null,
    revoked_at: key.revokedAt ?? null,
  }
}
