import { describe, expect, it } from '@jest/globals'
import { DDSketch, RELATIVE_ACCURACY } from './dd-sketch.js'
import { nearestRank } from './nearest-rank.js'

/** Values, share, and what PostgreSQL 18 answers to percentile_disc(share) within group (order by value). */
const FEW_VALUES: readonly [values: readonly number[], q: number, expected: number][] = [
  [[7], 0.5, 7],
  [[7], 0.99, 7],
  [[1, 1000], 0.5, 1],
  [[1, 1000], 0.95, 1000],
  [[0, 1200], 0.95, 1200],
  [[1, 2, 3], 0.5, 2],
  [[1, 2, 3], 0.99, 3],
  [[-5, 0, 5, 10], 0.25, -5],
  [[-5, 0, 5, 10], 0.26, 0],
  [[10, 20, 30, 40, 50, 60, 70, 80, 90, 100], 0.9, 90],
  [[1, 2, 3], 0, 1],
  [[1, 2, 3], 1, 3],
]

describe('percentiles of few values', () => {
  it.each(FEW_VALUES)('the nearest rank of %j at %d is the value %d', (values, q, expected) => {
    expect(values[nearestRank(q, values.length)]).toBe(expected)
  })

  it.each(FEW_VALUES)('a sketch of %j answers %d with a value within 0.8 % of %d', (values, q, expected) => {
    const sketch = new DDSketch()
    for (const value of values) sketch.add(value)
    expect(Math.abs(sketch.quantile(q) - expected)).toBeLessThanOrEqual(
      Math.abs(expected) * RELATIVE_ACCURACY * (1 + 1e-9),
    )
  })
})
