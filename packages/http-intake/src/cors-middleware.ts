import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Cors, isPreflight } from './cors.js'

/** The same CORS headers for routes behind Express: sets them on every response and answers preflight requests itself. */
export function createCorsMiddleware(
  cors: Cors,
): (req: IncomingMessage, res: ServerResponse, next: () => void) => void {
  return function setCorsHeaders(req, res, next) {
    const headers: string[] = []
    const isAnswered = isPreflight(req)
    if (isAnswered) cors.appendPreflight(headers, req.headers)
    else cors.append(headers, req.headers.origin)
    // Vary occurs twice in a preflight, so values are appended.
    for (let i = 0; i < headers.length; i += 2) res.appendHeader(headers[i] as string, headers[i + 1] as string)
    if (!isAnswered) next()
    else {
      res.statusCode = 204
      res.end()
    }
  }
}
