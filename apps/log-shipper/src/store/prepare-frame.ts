import type { ReceivedFrame } from '@millrace/streams'
import { readLogFrame } from '../append/log-frame.js'
import { openBatch } from '../batch/log-batch.js'
import type { TailBatch } from '../tail/memory-tail.js'
import type { DeadFrame } from './store-statements.js'

/** A frame whose lines can be read, or why not. */
export interface PreparedFrame {
  readonly partition: number
  readonly position: string
  readonly producer: string
  readonly sequence: number
  readonly records: number
  readonly batches: readonly TailBatch[]
  readonly refused: ReadonlyMap<number, number>
  readonly dead: DeadFrame | undefined
}

/** Reads the batches of a frame whose first line has the given number in its partition. */
export function prepareFrame(
  { partition, position, header, payload, appendedAtMs }: ReceivedFrame,
  firstOrdinal: number,
): PreparedFrame {
  const { producer, sequence, records } = header
  const place = { partition, position, producer, sequence, records }
  try {
    const { batches, refused } = readLogFrame(payload, records)
    let ordinal = firstOrdinal
    const read = batches.map(({ tenantId, service, lines, bytes }): TailBatch => {
      const batch = { tenantId, service, partition, producer, firstOrdinal: ordinal, lines, receivedAtMs: appendedAtMs }
      // The payload is only valid until the commit. The memory is shared, so that the thread that builds chunks needs no copy.
      const kept = Buffer.from(new SharedArrayBuffer(bytes.length))
      kept.set(bytes)
      if (openBatch(kept).decode().rows !== lines)
        throw new RangeError('a batch has another number of lines than the frame says')
      ordinal += lines
      return { ...batch, bytes: kept }
    })
    return { ...place, batches: read, refused, dead: undefined }
  } catch (error) {
    const reason = (error as Error).message
    const dead = { partition, position, producer, sequence, reason, payload: Buffer.from(payload) }
    return { ...place, batches: [], refused: new Map(), dead }
  }
}
