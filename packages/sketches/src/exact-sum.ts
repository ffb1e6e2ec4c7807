/**
 * A sum in double-double arithmetic: `sum` is the rounded sum, `error` what rounding left out, so that a billion small values added to
 * a large one are not lost and the order of adding hardly matters. Each addition is exact by two-sum (Knuth, The Art of Computer
 * Programming 2, 4.2.2); the errors add up as in Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974).
 */
export class ExactSum {
  sum: number
  error: number

  constructor(sum = 0, error = 0) {
    this.sum = sum
    this.error = error
  }

  /** `value` must be finite. */
  add(value: number): void {
    const sum = this.sum + value
    const added = sum - this.sum
    this.error += this.sum - (sum - added) + (value - added)
    this.sum = sum
  }

  /** Becomes the sum of both; returns itself. */
  merge(other: ExactSum): this {
    this.add(other.sum)
    this.error += other.error
    return this
  }

  /** The sum as one number; infinite when it left the range of doubles. */
  value(): number {
    return Number.isFinite(this.sum) ? this.sum + this.error : this.sum
  }
}
