import { describe, expect, it } from '@jest/globals'
import { planTrim } from './trim-plan.js'

const facts = {
  frames: 1000,
  recordsPerFrame: 50,
  windowRecords: 50_000,
  usedBytes: 100,
  ceilingBytes: 1000,
  memoryShare: 0.5,
}

describe('the trim plan', () => {
  it.each([
    ['nothing inside the window and below the memory share', {}, 0],
    ['what lies beyond the window', { windowRecords: 40_000 }, 200],
    ['nothing when frames are few, whatever they hold', { recordsPerFrame: 0 }, 0],
    ['as much as brings memory back to its share', { usedBytes: 625 }, 200],
    ['the larger of both', { usedBytes: 625, windowRecords: 10_000 }, 800],
    ['nothing for memory where there is no ceiling', { usedBytes: 10_000, ceilingBytes: undefined }, 0],
  ])('trims %s', (_, change, frames) => {
    expect(planTrim({ ...facts, ...change })).toBe(frames)
  })
})
