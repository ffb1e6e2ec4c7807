import { describe, expect, it } from '@jest/globals'
import { crc32c } from './crc32c.js'

describe('CRC-32C', () => {
  // Check value of the catalogue of parametrised CRC algorithms, and the vectors of RFC 3720, B.4.
  it.each([
    ['the digits 1 to 9', Buffer.from('123456789'), 0xe306_9283],
    ['32 bytes of zeroes', Buffer.alloc(32), 0x8a91_36aa],
    ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8_ab43],
    ['32 growing bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd_794e],
  ])('of %s has the published value, wherever they lie in the buffer', (_, bytes, wanted) => {
    expect(crc32c(bytes, 0, bytes.length)).toBe(wanted)
    expect(crc32c(Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(9)]), 3, 3 + bytes.length)).toBe(wanted)
  })
})
