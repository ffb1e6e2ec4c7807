import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isoTime } from './iso-time.js'

describe('a time as ISO text', () => {
  it('equals Date.toISOString, in any order and for any year', () => {
    const instants = fc.array(
      fc.oneof(
        fc.integer({ min: -62_198_755_200_000, max: 253_402_300_800_000 }),
        fc.integer({ min: -1_036_645_920, max: 4_223_371_680 }).map((minutes) => minutes * 60_000),
        fc.integer({ min: 0, max: 3_000 }).map((minutes) => Date.UTC(2026, 10, 21) + minutes * 60_000),
      ),
    )
    fc.assert(
      fc.property(instants, (all) => {
        expect(all.map(isoTime)).toEqual(all.map((ms) => new Date(ms).toISOString()))
      }),
    )
  })
})
