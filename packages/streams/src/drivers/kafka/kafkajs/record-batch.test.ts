import { describe, expect, it } from '@jest/globals'
import { WireWriter } from '../wire.js'
import { decodeRecordBatches, recordBatchSize, writeRecordBatch } from './record-batch.js'
import { fetchRequest } from './requests.js'

/** A batch with one message at an offset. */
function batchAt(offset: number): Buffer {
  const messages = [{ partition: 0, value: Buffer.from('frame'), timestampMs: 1 }]
  const size = recordBatchSize(messages)
  const out = new WireWriter(size)
  writeRecordBatch(out, messages, size)
  // The checksum does not cover the offset.
  out.bytes.writeBigInt64BE(BigInt(offset))
  return out.bytes
}

function corrupt(batch: Buffer): Buffer {
  batch[batch.length - 2] = (batch.at(-2) as number) ^ 1
  return batch
}

describe('the record batches of an answer', () => {
  it('are returned up to one that does not match its checksum', () => {
    const { messages, nextOffset } = decodeRecordBatches(Buffer.concat([batchAt(7), corrupt(batchAt(8))]), 7)
    expect(messages.map(({ offset }) => offset)).toEqual([7])
    expect(nextOffset).toBe(8)
  })

  it('are an error when the first one does not match its checksum', () => {
    expect(() => decodeRecordBatches(Buffer.concat([corrupt(batchAt(8)), batchAt(9)]), 8)).toThrow(
      'the record batch at offset 8 does not match its checksum',
    )
  })
})

describe('a fetch request', () => {
  it('names the epoch of the leader, so that a broker that has been deposed refuses it', async () => {
    const partition = { partition: 3, offset: 5, bytesMax: 100 }
    const bodyOf = async (epochs: ReadonlyMap<number, number>) =>
      (await fetchRequest('t', [partition], { maxWaitMs: 1, bytesMax: 100, epochs }).request.encode()).buf
    const at = (await bodyOf(new Map())).indexOf(Buffer.from([0, 0, 0, 3, 255, 255, 255, 255])) + 4
    expect((await bodyOf(new Map([[3, 9]]))).readInt32BE(at)).toBe(9)
  })
})
