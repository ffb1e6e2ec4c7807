/** 1 / (2 ln 2), the limit of HyperLogLog's constant for many registers. */
const ALPHA = 1 / (2 * Math.LN2)

/**
 * The improved raw estimator of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017,
 * arXiv:1702.01284), algorithm 6: nearly unbiased from 0 up, without tables and without switching between formulas.
 * `histogram[k]` is the number of registers of value k, from 0 to `rankBits` + 1.
 */
export function estimateDistinct(histogram: Float64Array, rankBits: number): number {
  const registers = histogram.reduce((sum, count) => sum + count, 0)
  const at = (rank: number) => histogram[rank] ?? 0
  if (at(0) === registers) return 0
  let z = registers * tau(1 - at(rankBits + 1) / registers)
  for (let rank = rankBits; rank >= 1; rank--) z = 0.5 * (z + at(rank))
  z += registers * sigma(at(0) / registers)
  return (ALPHA * registers * registers) / z
}

/** x + sum over k >= 1 of x^(2^k) 2^(k-1); infinite at 1. */
function sigma(x: number): number {
  let power = x
  let scale = 1
  let sum = x
  for (;;) {
    power *= power
    const next = sum + power * scale
    scale += scale
    if (next === sum) return sum
    sum = next
  }
}

/** (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 2^-k) / 3 */
function tau(x: number): number {
  if (x === 0 || x === 1) return 0
  let root = x
  let scale = 1
  let sum = 1 - x
  for (;;) {
    root = Math.sqrt(root)
    scale *= 0.5
    const next = sum - (1 - root) ** 2 * scale
    if (next === sum) return sum / 3
    sum = next
  }
}
