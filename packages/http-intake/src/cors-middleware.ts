import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Cors } from './cors.js'

/** The same CORS headers for routes behind Express: sets them on every response and answers preflight requests itself. */
export function createCorsMiddleware(
  cors: Cors,
): (req: IncomingMessage, res: ServerResponse, next: () => void) => void {
  return function setCorsHeaders(req, res, next) {
    const { origin } = req.headers
    const headers: string[] = []
    if (origin !== undefined && req.method === 'OPTIONS') cors.appendPreflight(headers, origin)
    else cors.append(headers, origin)
    for (let i = 0; i < headers.length; i += 2) res.setHeader(headers[i] as string, headers[i + 1] as string)
    if (req.method !== 'OPTIONS') next()
    else {
      res.statusCode = 204
      res.end()
    }
  }
}
