/** The first digits that a card network has been given (ISO/IEC 7812), as a range of four-digit prefixes, and the lengths of its numbers. */
interface Issuer {
  readonly from: number
  readonly to: number
  readonly lengths: readonly number[]
}

const LONG = [16, 17, 18, 19]
const DINERS = [14, 16, 19]

const ISSUERS: readonly Issuer[] = [
  { from: 4000, to: 4999, lengths: [13, 16, 19] }, // Visa
  { from: 5100, to: 5599, lengths: [16] }, // Mastercard
  { from: 2221, to: 2720, lengths: [16] },
  { from: 3400, to: 3499, lengths: [15] }, // American Express
  { from: 3700, to: 3799, lengths: [15] },
  { from: 3000, to: 3059, lengths: DINERS }, // Diners Club
  { from: 3095, to: 3095, lengths: DINERS },
  { from: 3600, to: 3699, lengths: DINERS },
  { from: 3800, to: 3999, lengths: DINERS },
  { from: 3528, to: 3589, lengths: LONG }, // JCB
  { from: 6011, to: 6011, lengths: [16, 19] }, // Discover
  { from: 6440, to: 6599, lengths: [16, 19] },
  { from: 6200, to: 6299, lengths: LONG }, // UnionPay
  { from: 2200, to: 2204, lengths: LONG }, // Mir
  ...[5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763].map(
    (prefix): Issuer => ({ from: prefix, to: prefix, lengths: [13, 14, 15, ...LONG] }), // Maestro
  ),
]

/** Bit n: a card number of n digits may begin with this four-digit prefix. */
const LENGTHS = new Uint32Array(10_000)
for (const { from, to, lengths } of ISSUERS)
  for (let prefix = from; prefix <= to; prefix++)
    for (const length of lengths) LENGTHS[prefix] = (LENGTHS[prefix] as number) | (1 << length)

/** Whether any card number begins with these four digits. */
export function isCardPrefix(prefix: number): boolean {
  return LENGTHS[prefix] !== 0
}

/** Whether the first `count` of these digits are a card number: issued prefix and length, and the check digit of ISO/IEC 7812-1 annex B. */
export function isCardNumber(digits: Uint8Array, count: number): boolean {
  const [a = 0, b = 0, c = 0, d = 0] = digits
  if (((LENGTHS[a * 1000 + b * 100 + c * 10 + d] as number) & (1 << count)) === 0) return false
  let sum = 0
  for (let i = 0; i < count; i++) {
    const digit = digits[count - 1 - i] as number
    const doubled = digit * 2
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
