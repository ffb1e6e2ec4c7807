/** Longer headers cannot hold our keys and would only fill the cache. */
const HEADER_LENGTH_MAX = 512

/**
 * The API key in an Authorization header, or undefined: `Bearer <key>`, or `Basic` with the key as the user name and an ignored password, as
 * Segment's libraries send it.
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
