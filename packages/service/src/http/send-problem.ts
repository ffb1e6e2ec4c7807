import type { ServerResponse } from 'node:http'
import { problemContentType, toMillraceError, toProblem } from '@millrace/contracts'
import { currentContext } from '@millrace/logger'

/**
 * Answers with the problem document of an error: status, Retry-After, the ids of the running request. Does nothing but cut the connection
 * when an answer has begun. For plain handlers; inside Express throw the error instead.
 */
export function sendProblem(res: ServerResponse, error: unknown): void {
  if (res.headersSent) {
    // The client must not take a torn answer for a whole one.
    res.destroy()
    return
  }
  const context = currentContext()
  const { retryAfterSeconds } = toMillraceError(error)
  const problem = toProblem(error, { requestId: context?.requestId, traceId: context?.traceId })
  res.statusCode = problem.status
  res.setHeader('content-type', problemContentType)
  res.setHeader('cache-control', 'no-store')
  if (problem.status === 429 || problem.status === 503)
    res.setHeader('retry-after', String(Math.max(1, Math.ceil(retryAfterSeconds ?? 1))))
  if (problem.status === 401) res.setHeader('www-authenticate', 'Basic realm="millrace", Bearer realm="millrace"')
  res.end(JSON.stringify(problem))
}
