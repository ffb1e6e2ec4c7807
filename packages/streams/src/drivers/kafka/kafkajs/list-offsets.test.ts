import { describe, expect, it } from '@jest/globals'
import { listOffsetsRequest } from './requests.js'

describe('a request for the ends of partitions', () => {
  it('names the epoch of each leader, so that a broker that has been deposed does not answer with an old end', async () => {
    const epochs = new Map([[7, 42]])
    const { request } = listOffsetsRequest('t', [7, 8], { timestamp: -1, epochs })
    const { buf } = await request.encode()
    // After the replica, the isolation level, the topic and the number of partitions.
    const first = 4 + 1 + 4 + (2 + 1) + 4
    const partitionBytes = 4 + 4 + 8
    expect(buf).toHaveLength(first + 2 * partitionBytes)
    expect([buf.readInt32BE(first), buf.readInt32BE(first + 4), buf.readBigInt64BE(first + 8)]).toEqual([7, 42, -1n])
    expect(buf.readInt32BE(first + partitionBytes + 4)).toBe(-1)
  })
})
