import type { IncomingMessage } from 'node:http'
import Negotiator from 'negotiator'

export const RESPONSE_ENCODINGS = ['br', 'gzip'] as const
export type ResponseEncoding = (typeof RESPONSE_ENCODINGS)[number]

/** Smaller bodies are not compressed, because they fit into one packet. */
export const COMPRESSED_BYTES_MIN = 1024

/** Its types do not know the options. */
interface Preferring {
  encoding(available: string[], options?: { readonly preferred: readonly string[] }): string | undefined
}

/**
 * The encoding for a response of this size by Accept-Encoding (RFC 9110, section 12.5.3); undefined: none. Of equally welcome ones br, which is
 * smaller. When nothing is acceptable the response is not compressed, which the RFC allows.
 */
export function chooseEncoding(req: IncomingMessage, bytes: number): ResponseEncoding | undefined {
  if (req.headers['accept-encoding'] === undefined || bytes < compressedBytesMin(req)) return undefined
  const negotiator: Preferring = new Negotiator(req)
  const chosen = negotiator.encoding([...RESPONSE_ENCODINGS, 'identity'], { preferred: RESPONSE_ENCODINGS })
  return RESPONSE_ENCODINGS.find((one) => one === chosen)
}

/** The size from which on responses to the request are compressed: 0 if the client rules out uncompressed ones (`identity;q=0`). */
export function compressedBytesMin(req: IncomingMessage): number {
  // Only these words can rule them out, and hardly any client sends them.
  if (!/identity|\*/i.test(req.headers['accept-encoding'] ?? '')) return COMPRESSED_BYTES_MIN
  return new Negotiator(req).encoding(['identity']) === undefined ? 0 : COMPRESSED_BYTES_MIN
}
