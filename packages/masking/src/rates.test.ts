import { describe, expect, it } from '@jest/globals'
import { createMasker } from './masker.js'
import { measureRates } from './testing/index.js'

/** Highest share of random values in which something is masked; 0 for every kind that is not named. The README has the measured shares. */
const MASKED_MAX: Readonly<Record<string, number>> = {
  '13 digits': 0.014,
  '14 digits': 0.006,
  '15 digits': 0.004,
  '16 digits': 0.033,
  '17 digits': 0.004,
  '18 digits': 0.004,
  '19 digits': 0.021,
  'span id': 0.001,
  'columns of numbers': 0.11,
  // Cannot be told from a telephone number.
  'ddd-ddd-dddd': 1,
}

describe('the rates of masking', () => {
  const rates = measureRates(createMasker(), 5_000)

  it('show that everything of the truth set that has to be masked is masked', () => {
    expect(rates.missed).toEqual([])
    expect(rates.detection.reduce((sum, { of }) => sum + of, 0)).toBeGreaterThan(110)
  })

  it('show that nothing else of the truth set is masked', () => {
    expect(rates.falsePositives).toEqual([])
    expect(rates.negatives).toBeGreaterThan(50)
  })

  it.each(rates.random)(
    'show that $kind, at random, is masked no more often than the README says',
    ({ kind, masked, of }) => {
      expect(masked / of).toBeLessThanOrEqual(MASKED_MAX[kind] ?? 0)
    },
  )
})
