import { type ApiKey, requireScope, SCOPES, type Scope } from '@millrace/auth'
import { DAY_MS, SECOND_MS } from '@millrace/contracts'
import type { Express } from 'express'
import type { ApiDeps } from './api-deps.js'
import { invalid, type Params, readCount, readList, readText, readTime } from './read-params.js'

const OVERLAP_SECONDS_MAX = (30 * DAY_MS) / SECOND_MS

/** Keys of the caller's tenant, for admin keys: GET and POST /api/v1/keys, POST …/{id}/rotate, and DELETE …/{id}, which revokes. */
export function addKeysApi(app: Express, deps: ApiDeps): void {
  app.get('/api/v1/keys', async (req, res) => {
    const principal = await deps.identify(req)
    requireScope(principal, 'admin')
    const keys = await deps.keys.list(principal.tenantId)
    res.json({ data: keys.map(toJson) })
  })
  app.post('/api/v1/keys', async (req, res) => {
    const principal = await deps.identify(req)
    requireScope(principal, 'admin')
    const params = (req.body ?? {}) as Params
    const expiresAt = readTime(params, 'expires_at')
    const request = { tenantId: principal.tenantId, name: readText(params, 'name', 100), scopes: readScopes(params) }
    const created = await deps.keys.create(expiresAt === undefined ? request : { ...request, expiresAt })
    res.status(201).json({ ...toJson(created), key: created.key })
  })
  app.post('/api/v1/keys/:id/rotate', async (req, res) => {
    const principal = await deps.identify(req)
    requireScope(principal, 'admin')
    const params = (req.body ?? {}) as Params
    const seconds = readCount(params, 'overlap_seconds', { min: 0, max: OVERLAP_SECONDS_MAX })
    const overlapMs = params.overlap_seconds === undefined ? undefined : seconds * 1000
    const created = await deps.keys.rotate(principal.tenantId, req.params.id, overlapMs)
    res.status(201).json({ ...toJson(created), key: created.key })
  })
  app.delete('/api/v1/keys/:id', async (req, res) => {
    const principal = await deps.identify(req)
    requireScope(principal, 'admin')
    await deps.keys.revoke(principal.tenantId, req.params.id)
    res.status(204).end()
  })
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
