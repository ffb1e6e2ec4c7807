import type { IncomingMessage } from 'node:http'

const KEY_PREFIX = 'mr_'

/**
 * The API key where clients of other log systems put it: `Authorization: Basic` with the key as the user name or as the password,
 * `Authorization: ApiKey <key>` or `ApiKey base64(<id>:<key>)`, `Authorization: Splunk <key>`, or the header `X-API-Key`. Undefined for every other
 * header, also for Bearer, which the intake reads itself.
 */
export function readKeyOfScheme({ headers }: IncomingMessage): string | undefined {
  return keyOfHeaders(headers)
}

/** `readKeyOfScheme` for headers, or for metadata of gRPC with the same names. */
export function keyOfHeaders(headers: {
  readonly authorization?: string | undefined
  readonly 'x-api-key'?: string | string[] | undefined
}): string | undefined {
  const { authorization, 'x-api-key': own } = headers
  if (authorization === undefined) return typeof own === 'string' && own !== '' ? own : undefined
  const [, scheme = '', value = ''] = /^\s*(\w+)\s+(\S+)\s*$/.exec(authorization) ?? []
  const name = scheme.toLowerCase()
  if (name === 'splunk') return value
  if (name === 'apikey') return value.startsWith(KEY_PREFIX) ? value : afterColon(decode(value))
  if (name !== 'basic') return undefined
  const pair = decode(value)
  return pair.startsWith(KEY_PREFIX) ? pair.split(':', 1)[0] : afterColon(pair)
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8')
}

function afterColon(pair: string): string | undefined {
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : pair.slice(colon + 1)
}
