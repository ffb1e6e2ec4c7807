import { readBody } from '../../caller-body.js'
import type { ObjectBody } from '../../object-store.js'

/** S3 allows at most 10,000 parts of an upload, which makes 156 GiB. */
export const PART_BYTES = 16 * 1024 ** 2
/** The first buffer, so that a small object does not take a whole part. */
const BUFFER_BYTES_MIN = 64 * 1024

/** Cuts a body into parts of `PART_BYTES`; only the last one is shorter. An empty body has no part. */
export async function* cutIntoParts(body: ObjectBody, signal: AbortSignal): AsyncGenerator<Uint8Array, undefined> {
  if (body instanceof Uint8Array) {
    for (let at = 0; at < body.length; at += PART_BYTES) {
      signal.throwIfAborted()
      yield body.subarray(at, at + PART_BYTES)
    }
    return undefined
  }
  let part: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_MIN)
  let filled = 0
  for await (const piece of readBody(body, signal)) {
    for (let at = 0; at < piece.length; ) {
      if (filled === PART_BYTES) {
        yield part
        part = Buffer.allocUnsafeSlow(PART_BYTES)
        filled = 0
      }
      if (filled === part.length) part = grow(part, filled + piece.length - at)
      const copied = Math.min(piece.length - at, part.length - filled)
      part.set(piece.subarray(at, at + copied), filled)
      filled += copied
      at += copied
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
  return undefined
}

/** A copy with room for more: four times the bytes, so that few are copied more than once. */
function grow(part: Buffer, needed: number): Buffer {
  const grown = Buffer.allocUnsafeSlow(Math.min(PART_BYTES, Math.max(needed, part.length * 4)))
  grown.set(part)
  return grown
}
