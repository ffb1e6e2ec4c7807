import type { CachePolicy } from '@millrace/contracts'
import type { Request, Response } from 'express'

/** How long a browser believes the answer over a closed range before it asks again, in s: a late event is seen after that at the latest. */
const BROWSER_MAX_AGE_S = 60

export interface AnswerCaching {
  /** Whether a CDN or proxy in front may keep answers. It must tell requests apart by `Authorization`, as `Vary` says. */
  readonly isShared: boolean
  /** Of the key that the caller proved to have. */
  readonly keyId: string
}

/**
 * Says to HTTP caches how they may treat an answer. Returns true when the client has this answer already and nothing but the headers is to be
 * sent (status 304 is set). https://www.rfc-editor.org/rfc/rfc9111 https://www.rfc-editor.org/rfc/rfc8246 docs/decisions/0009-http-caching.md
 */
export function applyCaching(
  req: Request,
  res: Response,
  { policy, caching }: { policy: CachePolicy | undefined; caching: AnswerCaching },
): boolean {
  // The same address asked with another key is another answer, so this is said whatever may be kept.
  res.vary('Authorization')
  res.vary('Accept-Encoding')
  if (policy === undefined || (req.method !== 'GET' && req.method !== 'HEAD')) {
    res.setHeader('Cache-Control', 'no-store')
    return false
  }
  // Weak: `meta` says how old this answer is and so differs where the data is the same.
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

/** Whether If-None-Match names the tag, weakly compared. https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match */
function isSame(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((one) => {
    const tag = one.trim()
    return tag === '*' || tag.replace(/^W\//, '') === `"${etag}"`
  })
}
