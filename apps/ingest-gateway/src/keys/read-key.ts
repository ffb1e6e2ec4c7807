const CACHED_MAX = 10_000
const cache = new Map<string, string>()

/**
 * The key in an Authorization header: `Bearer key`, or `Basic` with the key as user name (Segment and RudderStack leave the password
 * empty). Undefined when the header is absent or holds something else.
 */
export function readKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const known = cache.get(header)
  if (known !== undefined) return known
  const key = parse(header)
  if (key === undefined) return undefined
  if (cache.size >= CACHED_MAX) cache.clear()
  cache.set(header, key)
  return key
}

function parse(header: string): string | undefined {
  const [, scheme = '', value = ''] = /^(basic|bearer) +(\S+) *$/i.exec(header) ?? []
  if (scheme.toLowerCase() === 'bearer') return value
  const user = Buffer.from(value, 'base64').toString('utf8').split(':', 1)[0]
  return user === '' ? undefined : user
}
