/** What one put wrote: its bytes follow from both numbers. */
export interface ObjectVersion {
  /** Unique in a run. */
  readonly id: number
  readonly bytes: number
}

const PAGE_BYTES = 4096
const STAMP_BYTES = 8
const PIECE_BYTES = 256 * 1024

/** The bytes `from` to `to` of a version. Every page names the version and its place, so a page of another version or at another place is found. */
export function bodyPart({ id, bytes }: ObjectVersion, from: number, to: number): Buffer {
  const end = Math.min(to, bytes)
  if (from >= end) return Buffer.alloc(0)
  const firstPage = Math.floor(from / PAGE_BYTES)
  const pages = Math.ceil(end / PAGE_BYTES) - firstPage
  const part = Buffer.alloc(pages * PAGE_BYTES)
  for (let index = 0; index < pages; index++) {
    const page = firstPage + index
    const at = index * PAGE_BYTES
    part.fill((id + page) % 251, at + STAMP_BYTES, at + PAGE_BYTES)
    part.writeUInt32LE(id, at)
    part.writeUInt32LE(page, at + 4)
  }
  return part.subarray(from - firstPage * PAGE_BYTES, end - firstPage * PAGE_BYTES)
}

/** All bytes of a version, in pieces. */
export async function* bodyPieces(version: ObjectVersion): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < version.bytes; at += PIECE_BYTES) yield bodyPart(version, at, at + PIECE_BYTES)
}

/** A range of an object; `to` may lie beyond its end. */
export interface BodyRange {
  readonly from: number
  readonly to: number
}

/** Reads a body to its end and returns the version that it is, byte for byte, or undefined when it is none of them. */
export async function findVersion(
  body: AsyncIterable<Uint8Array>,
  versions: readonly ObjectVersion[],
  { from, to }: BodyRange = { from: 0, to: Number.POSITIVE_INFINITY },
): Promise<ObjectVersion | undefined> {
  let left = [...versions]
  let at = from
  for await (const piece of body) {
    const end = at + piece.length
    left = left.filter((version) => bodyPart(version, at, end).equals(piece))
    at = end
  }
  return left.find(({ bytes }) => Math.max(from, Math.min(to, bytes)) === at)
}
