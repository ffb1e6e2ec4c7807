import { describe, expect, it } from '@jest/globals'
import { murmur2, partitionOfKey } from './key-partition.js'

describe('the partition of a key', () => {
  // The vectors of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('murmur2 gives the hash of Java for the text %s', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
  })

  it('partitionOfKey drops the sign of the hash, as the Java client does', () => {
    expect(partitionOfKey(Buffer.from('foobar'), 16)).toBe((-790332482 & 0x7fffffff) % 16)
  })
})
