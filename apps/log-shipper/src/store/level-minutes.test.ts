import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { levelIndex } from '../records/severity.js'
import { decodeLevelMinutes, encodeLevelMinutes } from './level-minutes.js'

describe('the counts of a chunk by minute and level', () => {
  it('are those of its lines', () => {
    const line = fc.tuple(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 0, max: 24 }))
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const encoded = encodeLevelMinutes(
          lines.map(([ms]) => ms),
          lines.map(([, severity]) => severity),
        )
        const counts = new Map<string, number>()
        for (const [ms, severity] of lines) {
          const key = `${Math.floor(ms / 60_000) * 60_000} ${levelIndex(severity)}`
          counts.set(key, (counts.get(key) ?? 0) + 1)
        }
        const decoded = new Map<string, number>()
        for (const { minuteMs, counts: byLevel } of decodeLevelMinutes(encoded))
          for (const [level, count] of byLevel.entries()) if (count > 0) decoded.set(`${minuteMs} ${level}`, count)
        expect(decoded).toEqual(counts)
      }),
    )
  })

  it('are refused when bytes are missing or changed', () => {
    const encoded = encodeLevelMinutes([1_764_500_000_000, 1_764_500_100_000], [9, 17])
    for (let end = 1; end < encoded.length; end++) {
      const cut = encoded.subarray(0, end)
      // A cut behind the counts of a minute cannot be seen.
      if (decodes(cut)) expect(decodeLevelMinutes(cut)).toEqual(decodeLevelMinutes(encoded).slice(0, 1))
    }
    expect(() => decodeLevelMinutes(Buffer.alloc(9, 0xff))).toThrow(RangeError)
    expect(() => decodeLevelMinutes(Buffer.of(1, 0))).toThrow(RangeError)
  })
})

function decodes(bytes: Buffer): boolean {
  try {
    decodeLevelMinutes(bytes)
    return true
  } catch {
    return false
  }
}
