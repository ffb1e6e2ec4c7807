import { describe, expect, it } from '@jest/globals'
import { WireWriter } from '../wire.js'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './consumer-protocol.js'

describe('what members of a Kafka group tell each other', () => {
  it('is read as it was written, whichever topic the reader has itself', () => {
    for (const partitions of [undefined, 0, 16])
      for (const owned of [[], [0, 3, 15]]) {
        const subscription = { topic: 'lines', partitions, owned, generation: 7 }
        expect(decodeSubscription(encodeSubscription(subscription), 'lines')).toEqual(subscription)
        expect(decodeSubscription(encodeSubscription(subscription), 'logs')).toEqual(subscription)
      }
    expect(decodeAssignment(encodeAssignment('lines', [1, 2]), 'lines')).toEqual([1, 2])
    expect(decodeAssignment(encodeAssignment('lines', [1, 2]), 'logs')).toEqual([])
  })

  it('is read from a member that does not say how many partitions there are', () => {
    const bytes = new WireWriter(100).int16(2).int32(1).string('logs').int32(-1)
    bytes.int32(1).string('logs').int32(2).int32(4).int32(5).int32(3)
    expect(decodeSubscription(bytes.written, 'lines')).toEqual({
      topic: 'logs',
      partitions: undefined,
      owned: [4, 5],
      generation: 3,
    })
  })

  it('counts as a member with the topic of the reader when nothing is known of its format', () => {
    const unknown = { topic: 'lines', partitions: undefined, owned: [], generation: -1 }
    expect(decodeSubscription(Buffer.from([0]), 'lines')).toEqual(unknown)
    expect(decodeSubscription(Buffer.alloc(0), 'lines')).toEqual(unknown)
  })
})
