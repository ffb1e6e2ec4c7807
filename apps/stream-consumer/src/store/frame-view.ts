import { RecordBatchReader, SIDE_BYTES } from '@millrace/contracts'

/** Number of 32-bit words in an entry of the side table, and the index of each field (see SIDE in contracts). */
export const WORDS = SIDE_BYTES / 4
export const WORD = {
  messageHashLo: 0,
  messageHashHi: 1,
  userHashLo: 2,
  userHashHi: 3,
  tenantId: 6,
  rowOffset: 7,
  /** series in bits 0 to 15, type in 16 to 23, flags in 24 to 31 */
  seriesTypeFlags: 8,
} as const

/** Number of doubles in an entry of the side table, and the index of the event time. */
export const DOUBLES = SIDE_BYTES / 8
export const TIMESTAMP_DOUBLE = 2

/** A batch whose side table is viewed as typed arrays, so that reading a number is one load. */
export interface FrameView {
  readonly reader: RecordBatchReader
  readonly records: number
  readonly words: Uint32Array
  readonly doubles: Float64Array
}

/**
 * Opens the payload of a frame. The side table is viewed in place when it is aligned to 8 bytes, else copied.
 * @throws RangeError when the payload is no batch, has another number of records than the frame says, has overlapping
 * rows, or an invalid tenant.
 */
export function openFrame(payload: Buffer, records: number): FrameView {
  const reader = new RecordBatchReader(payload)
  if (reader.records !== records) throw new RangeError(`a frame of ${records} records holds ${reader.records}`)
  const bytes = records * SIDE_BYTES
  let buffer: ArrayBufferLike = payload.buffer
  let offset = payload.byteOffset + reader.sideOffset
  if (offset % 8 !== 0) {
    buffer = buffer.slice(offset, offset + bytes)
    offset = 0
  }
  const words = new Uint32Array(buffer, offset, bytes / 4)
  let end = 0
  for (let at = WORD.rowOffset; at < words.length; at += WORDS) {
    const next = words[at] as number
    if (next < end) throw new RangeError('rows of a batch overlap')
    end = next
    requireTenant(words[at - WORD.rowOffset + WORD.tenantId] as number)
  }
  if (end > reader.rowsBytes) throw new RangeError('rows of a batch reach beyond it')
  for (const { tenantId } of reader.tallies()) requireTenant(tenantId)
  return { reader, records, words, doubles: new Float64Array(buffer, offset, bytes / 8) }
}

/** Tenant columns are signed 32-bit integers; a larger id would fail every statement of the batch. */
function requireTenant(tenantId: number): void {
  if (tenantId > 0x7fff_ffff) throw new RangeError('a tenant of a batch is out of range')
}
