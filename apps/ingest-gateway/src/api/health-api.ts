import { toMillraceError } from '@millrace/contracts'
import type { Response } from 'express'
import type { ApiDeps } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'

const RETRY_AFTER_S = '5'

/** GET /api/health and /api/system/health for everyone, /api/health/detailed for admin keys, in the format of OPS-1. health-aggregator answers. */
export function addHealthApi(routes: ApiRoutes, deps: ApiDeps): void {
  routes.get('/api/health', 'everyone', (_req, res) => answer(res, deps, 'summary'))
  routes.get('/api/system/health', 'everyone', (_req, res) => answer(res, deps, 'system'))
  routes.get('/api/health/detailed', 'admin', (_req, res) => answer(res, deps, 'detailed'))
}

async function answer(res: Response, deps: ApiDeps, level: string): Promise<void> {
  try {
    const { status, bodyJson } = await deps.health.getHealth({ level }, { deadlineMs: 3000 })
    if (status === 'unhealthy') res.status(503).setHeader('retry-after', RETRY_AFTER_S)
    res.type('json').send(bodyJson)
  } catch (error) {
    // The gateway works, as this response proves; only the service that knows about the others cannot be reached.
    const body = {
      timestamp: new Date(),
      status: 'degraded',
      uptime: process.uptime(),
      services: { health_aggregator: { status: 'unhealthy', code: toMillraceError(error).code } },
    }
    res.status(503).setHeader('retry-after', RETRY_AFTER_S).json(body)
  }
}
