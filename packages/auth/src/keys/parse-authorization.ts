/** Longer headers are not keys of ours; they would only fill the cache. */
const HEADER_LENGTH_MAX = 512

/**
 * The key in an Authorization header: `Bearer <key>`, or `Basic` with the key as user name (Segment's way, the password is ignored).
 * Undefined when there is none.
 */
export function parseAuthorization(header: string): string | undefined {
  if (header.length > HEADER_LENGTH_MAX) return undefined
  const match = /^(basic|bearer) +([^ ]+) *$/i.exec(header)
  if (!match) return undefined
  const [, scheme, credentials] = match as unknown as [string, string, string]
  if (scheme.toLowerCase() === 'bearer') return credentials
  const [user] = Buffer.from(credentials, 'base64').toString('utf8').split(':', 1)
  return user || undefined
}
