/** The unit of sums that no double can hold. */
const WIDE = 2 ** 64

/**
 * A sum in double-double arithmetic: `sum` is the rounded sum and `error` the rounding error. A billion small values
 * added to a large one are not lost, and the order of adding hardly matters. Each addition is exact by two-sum
 * (Knuth, The Art of Computer Programming 2, 4.2.2); the errors are added as in Neumaier, "Rundungsfehleranalyse
 * einiger Verfahren zur Summation endlicher Summen" (1974). When the sum leaves the range of doubles, `sum` becomes
 * infinite and `error` the rounded sum / 2^64, so that it can return into the range and has a mean.
 */
export class ExactSum {
  sum: number
  error: number

  constructor(sum = 0, error = 0) {
    this.sum = sum
    this.error = error
  }

  /** Adds `value`, which must be finite. */
  add(value: number): void {
    const sum = this.sum + value
    if (sum - sum !== 0) {
      this.#addWide(value / WIDE)
      return
    }
    const added = sum - this.sum
    this.error += this.sum - (sum - added) + (value - added)
    this.sum = sum
  }

  /** Adds a decimal number of any size, written without exponent. */
  addDecimal(text: string): void {
    const value = Number(text)
    if (Number.isFinite(value)) this.add(value)
    else this.#addWide(Number(`${text}e-20`) * (1e20 / WIDE))
  }

  /** Adds `other`. Returns this sum. */
  merge(other: ExactSum): this {
    if (!Number.isFinite(other.sum)) {
      this.#addWide(other.error)
      return this
    }
    this.add(other.sum)
    this.error += Number.isFinite(this.sum) ? other.error : other.error / WIDE
    return this
  }

  /** The sum as one number; infinite when it is outside the range of doubles. */
  value(): number {
    return Number.isFinite(this.sum) ? this.sum + this.error : this.error * WIDE
  }

  /** The sum divided by `count`; not finite only when that is 0. */
  mean(count: number): number {
    return Number.isFinite(this.sum) ? this.value() / count : (this.error / count) * WIDE
  }

  /** Adds `value` * 2^64. */
  #addWide(value: number): void {
    const before = Number.isFinite(this.sum) ? this.sum / WIDE + this.error / WIDE : this.error
    this.error = before + value
    this.sum = this.error < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }
}
