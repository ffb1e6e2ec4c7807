/** The decimal numbers that are read as one double: from `low` to `high`, with all digits. */
export interface DoubleRange {
  readonly low: string
  readonly high: string
  /**
   * Whether both ends belong to the range: a number halfway between two doubles is read as the one whose last bit is
   * 0.
   */
  readonly isClosed: boolean
}

const FRACTION_BITS = 52n
const HIDDEN_BIT = 1n << FRACTION_BITS
/** Exponent of the last bit of doubles whose exponent field is 0 or 1. */
const LEAST_EXPONENT = -1074

const bits = new DataView(new ArrayBuffer(8))

/**
 * The range of a finite double. PostgreSQL keeps numbers with all their digits, and JavaScript reads them as the
 * nearest double (IEEE 754, round half to even). With the range, SQL can compare in the same way without converting
 * each row's number. 0 has only itself: the gateway rejects numbers that are smaller than every double.
 */
export function doubleRange(double: number): DoubleRange {
  if (double === 0) return { low: '0', high: '0', isClosed: true }
  bits.setFloat64(0, Math.abs(double))
  const all = bits.getBigUint64(0)
  const field = Number(all >> FRACTION_BITS)
  const fraction = all & (HIDDEN_BIT - 1n)
  const mantissa = field === 0 ? fraction : fraction | HIDDEN_BIT
  // In quarters of the last bit: below a power of two, doubles are twice as dense.
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
