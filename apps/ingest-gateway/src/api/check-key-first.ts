import type { RequestHandler } from 'express'
import type { ApiDeps } from './api-deps.js'

/**
 * Checks the key of a request with a body before the body is read, so that an unknown key gets 401 whatever the body is. Routes find out again who
 * calls, which costs nothing because the key is cached then. Without a body there is nothing to protect.
 */
export function createCheckKeyFirst(deps: Pick<ApiDeps, 'identify'>): RequestHandler {
  return async function checkKeyFirst(req, _res, next) {
    const { 'content-length': length, 'transfer-encoding': encoding } = req.headers
    const hasBody = encoding !== undefined || (length !== undefined && length !== '0')
    if (hasBody && req.path.startsWith('/api/v1/')) await deps.identify(req)
    next()
  }
}
