import type { CachePolicy } from '@millrace/contracts'
import type { Request, Response } from 'express'

/** How long a browser uses the answer for a closed range without asking again, in s. A late event is visible after this time at the latest. */
const BROWSER_MAX_AGE_S = 60

export interface AnswerCaching {
  /** Whether a CDN or proxy in front may cache answers. It must keep a separate answer for each `Authorization`, as `Vary` says. */
  readonly isShared: boolean
  /** Id of the caller's key. */
  readonly keyId: string
}

/**
 * Sets the headers that tell HTTP caches what they may do with an answer. Returns true, with status 304 set, if the client already has this
 * answer and only headers are to be sent. RFC 9111, RFC 8246, docs/decisions/0009-http-caching.md
 */
export function applyCaching(
  req: Request,
  res: Response,
  { policy, caching }: { policy: CachePolicy | undefined; caching: AnswerCaching },
): boolean {
  // The same URL with another key has another answer, so Vary is needed even if nothing may be cached.
  res.vary('Authorization')
  res.vary('Accept-Encoding')
  if (policy === undefined || (req.method !== 'GET' && req.method !== 'HEAD')) {
    res.setHeader('Cache-Control', 'no-store')
    return false
  }
  // Weak, because `meta` contains the age of the answer and differs between answers with the same data.
  const etag = `W/"${policy.etag}"`
  res.setHeader('ETag', etag)
  res.setHeader('Cache-Control', cacheControl(policy, caching))
  if (caching.isShared) res.setHeader('Surrogate-Key', [`key:${caching.keyId}`, ...policy.surrogateKeys].join(' '))
  if (!isSame(req.headers['if-none-match'], policy.etag)) return false
  res.status(304)
  return true
}

function cacheControl(policy: CachePolicy, { isShared }: AnswerCaching): string {
  const { maxAgeS, staleWhileRevalidateS, isImmutable } = policy
  const browserS = isImmutable ? maxAgeS : Math.min(maxAgeS, BROWSER_MAX_AGE_S)
  const parts = isShared ? ['public', `max-age=${browserS}`, `s-maxage=${maxAgeS}`] : ['private', `max-age=${browserS}`]
  if (staleWhileRevalidateS > 0) parts.push(`stale-while-revalidate=${staleWhileRevalidateS}`)
  if (isImmutable) parts.push('immutable')
  return parts.join(', ')
}

/** Whether If-None-Match contains the tag, by weak comparison. https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match */
function isSame(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((one) => {
    const tag = one.trim()
    return tag === '*' || tag.replace(/^W\//, '') === `"${etag}"`
  })
}
