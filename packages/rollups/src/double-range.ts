/** The numbers that are read as one double: those from `low` to `high`, as decimals to the last digit. */
export interface DoubleRange {
  readonly low: string
  readonly high: string
  /** Whether both ends belong to it: a number half way between two doubles is read as the even one. */
  readonly isClosed: boolean
}

const FRACTION_BITS = 52n
const HIDDEN_BIT = 1n << FRACTION_BITS
/** Of the least bit of the numbers whose exponent field is 0 or 1. */
const LEAST_EXPONENT = -1074

const bits = new DataView(new ArrayBuffer(8))

/**
 * The range of a finite double. Events hold numbers with all their digits, and everything else reads them as the nearest double (IEEE 754, round half
 * to even); with the range a condition can do so too without turning each row's number into one. 0 stands for itself alone: what is smaller
 * than every double is no event's.
 */
export function doubleRange(double: number): DoubleRange {
  if (double === 0) return { low: '0', high: '0', isClosed: true }
  bits.setFloat64(0, Math.abs(double))
  const all = bits.getBigUint64(0)
  const field = Number(all >> FRACTION_BITS)
  const fraction = all & (HIDDEN_BIT - 1n)
  const mantissa = field === 0 ? fraction : fraction | HIDDEN_BIT
  // In quarters of the last bit: below a power of two the doubles lie twice as close.
  const exponent = LEAST_EXPONENT + Math.max(field, 1) - 1 - 2
  const below = fraction === 0n && field > 1 ? 1n : 2n
  const ends = [mantissa * 4n - below, mantissa * 4n + 2n].map((quarters) => decimalOf(quarters, exponent))
  const [near = '', far = ''] = ends
  const isClosed = mantissa % 2n === 0n
  return double > 0 ? { low: near, high: far, isClosed } : { low: `-${far}`, high: `-${near}`, isClosed }
}

/** `whole` * 2^`exponent`, exactly. */
function decimalOf(whole: bigint, exponent: number): string {
  if (exponent >= 0) return (whole << BigInt(exponent)).toString()
  const digits = (whole * 5n ** BigInt(-exponent)).toString().padStart(1 - exponent, '0')
  return `${digits.slice(0, exponent)}.${digits.slice(exponent)}`.replace(/\.?0+$/, '')
}
