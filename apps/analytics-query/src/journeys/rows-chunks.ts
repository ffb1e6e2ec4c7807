import type { GroupNumbers } from './group-numbers.js'
import { type MarkChunk, ROW_BYTES } from './marks.js'
import { CHUNK_MARKS, type Turn } from './turns.js'

/** Marks of one set of conditions and one group, as marksStatement has them. */
export interface RawRow {
  readonly mask: number
  readonly bytes: Buffer
  readonly [group: `g${number}`]: unknown
}

/** A chunk is gone through at one go, which takes some milliseconds. */
const CHUNK_BYTES = 65_536 * ROW_BYTES
/** What is smaller is put together with others: a chunk costs about a kilobyte and a call, however few marks it holds. */
const OWN_CHUNK_BYTES = 1_000 * ROW_BYTES

/** Rows in chunks of a good size: hundreds of thousands of groups take few, and one group of millions of marks several. @throws TOO_MANY_GROUPS */
export async function toRowsChunks(rows: readonly RawRow[], groups: GroupNumbers, turn: Turn): Promise<MarkChunk[]> {
  const chunks: MarkChunk[] = []
  const small = new Map<number, Joined>()
  for (const row of rows) {
    const { mask, bytes } = row
    const group = groups.numberOf(row)
    if (bytes.length >= OWN_CHUNK_BYTES) {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES)
        chunks.push({ mask, group, layout: { of: 'rows' }, bytes: bytes.subarray(at, at + CHUNK_BYTES) })
    } else {
      const joined = small.get(mask) ?? { parts: [], size: 0 }
      joined.parts.push({ group, bytes })
      joined.size += bytes.length
      if (joined.size >= CHUNK_BYTES) chunks.push(join(mask, joined))
      if (joined.size >= CHUNK_BYTES) small.delete(mask)
      else small.set(mask, joined)
    }
    const pause = turn(CHUNK_MARKS)
    if (pause !== undefined) await pause
  }
  for (const [mask, joined] of small) chunks.push(join(mask, joined))
  return chunks
}

interface Joined {
  readonly parts: { readonly group: number; readonly bytes: Buffer }[]
  size: number
}

function join(mask: number, { parts, size }: Joined): MarkChunk {
  const groups = new Uint32Array(size / ROW_BYTES)
  let at = 0
  for (const { group, bytes } of parts) {
    groups.fill(group, at, at + bytes.length / ROW_BYTES)
    at += bytes.length / ROW_BYTES
  }
  const bytes = Buffer.concat(
    parts.map((part) => part.bytes),
    size,
  )
  return { mask, group: 0, layout: { of: 'rows', groups }, bytes }
}
