import type { ServerResponse } from 'node:http'
import { PROBLEM_CONTENT_TYPE, toMillraceError, toProblem } from '@millrace/contracts'
import { currentContext } from '@millrace/logger'

/**
 * Names and values of the headers that belong to a problem document, one after the other: Retry-After for 429 and 503 (in whole seconds, at
 * least 1) and WWW-Authenticate for 401.
 */
export function problemHeaders(error: unknown, status: number): string[] {
  const headers = ['Content-Type', PROBLEM_CONTENT_TYPE]
  if (status === 429 || status === 503)
    headers.push('Retry-After', String(Math.max(1, Math.ceil(toMillraceError(error).retryAfterSeconds ?? 1))))
  if (status === 401) headers.push('WWW-Authenticate', 'Basic realm="millrace", Bearer realm="millrace"')
  return headers
}

/**
 * Responds with the problem document of an error and the ids of the running request. If a response has begun, it only closes the connection.
 * For plain handlers; inside Express throw the error instead.
 */
export function sendProblem(res: ServerResponse, error: unknown): void {
  if (res.headersSent) {
    // The client must not take a torn response for a complete one.
    res.destroy()
    return
  }
  const context = currentContext()
  const problem = toProblem(error, { requestId: context?.requestId, traceId: context?.traceId })
  const headers = problemHeaders(error, problem.status)
  for (let i = 0; i < headers.length; i += 2) res.setHeader(headers[i] as string, headers[i + 1] as string)
  res.statusCode = problem.status
  res.setHeader('cache-control', 'no-store')
  res.end(JSON.stringify(problem))
}
