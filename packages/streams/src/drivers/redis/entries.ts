import type { StoredFrame } from '../../driver/stream-driver.js'
import { positionMs } from './position.js'

/** `[id, [field, value, …]]` as ioredis returns it; the fields of a deleted entry are null. */
export type RawEntry = [id: Buffer, fields: Buffer[] | null]
/** `[key, entries]` for each stream with entries; null when there are none. */
export type RawRead = [key: Buffer, entries: RawEntry[]][] | null

const NO_BYTES = Buffer.alloc(0)

/**
 * Entries of a Redis stream as frames; an entry without a frame becomes an empty one, which the reader counts as
 * corrupt.
 */
export function toFrames(partition: number, entries: readonly RawEntry[]): StoredFrame[] {
  return entries.map(([id, fields]) => {
    const position = id.toString('latin1')
    // An entry without the field "f" is not ours: its bytes are empty, so the consumer reports it as corrupt.
    const bytes = fields !== null && fields[0]?.toString('latin1') === 'f' ? (fields[1] ?? NO_BYTES) : NO_BYTES
    return { partition, position, appendedAtMs: positionMs(position), bytes }
  })
}
