import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeReceipt, encodeReceipt } from './receipt.js'

const frame = fc.record({
  partition: fc.integer({ min: 0, max: 1023 }),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  first: fc.integer({ min: 0, max: 1_000_000 }),
  records: fc.integer({ min: 0, max: 1_000_000 }),
})

describe('a receipt', () => {
  it('names the frame of every record, after it was encoded and decoded', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.integer({ min: 1, max: 0x7fff_ffff }),
        fc.array(frame, { maxLength: 40 }),
        (producer, tenantId, frames) => {
          const receipt = { producer, tenantId, frames }
          const text = encodeReceipt(receipt)
          expect(text).toMatch(/^[\w-]+$/)
          expect(decodeReceipt(text)).toEqual(receipt)
        },
      ),
    )
  })

  it('is never decoded from a text that no receipt encodes to', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (text) => {
        try {
          const { frames } = decodeReceipt(text)
          for (const part of frames) expect(Object.values(part).every(Number.isSafeInteger)).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
        }
      }),
    )
  })

  it.each(['', '!', 'AA', 'AQ', 'AQHJo9w', 'AQHJo9wJmjRNgaZcj5JSoA3_Cg', `AQHJo9wJmjRNgaZcj5JSoA3_${'_'.repeat(40)}`])(
    'is not decoded from %p',
    (text) => {
      expect(() => decodeReceipt(text)).toThrow('the text is not a receipt')
    },
  )
})
