/** A time with nanoseconds: ms since 1970 and the rest below a millisecond, 0 to 999,999 ns. */
export interface ExactTime {
  readonly ms: number
  readonly subNs: number
}

const NS_PER_MS = 1_000_000
/** 2100-01-01 in seconds. Larger numbers are milliseconds, and so on by factors of a thousand. */
const SECONDS_MAX = 4_102_444_800

/** RFC 3339, also with a space instead of T, a comma before the fraction, or without an offset, which counts as UTC. */
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,30}))?)?\s*(?:(Z|z|UTC)|([+-])(\d\d):?(\d\d)?)?$/

/**
 * The time that a number or a text stands for: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size, or a date of
 * RFC 3339. Digits beyond nanoseconds are cut. Undefined when it is none of these.
 */
export function parseTime(value: unknown): ExactTime | undefined {
  if (typeof value === 'number') return fromNumber(value)
  if (typeof value === 'bigint') return fromDigits(value.toString(), '')
  if (typeof value !== 'string' || value.length > 64) return undefined
  const text = value.trim()
  const digits = /^(\d{1,19})(?:\.(\d{1,30}))?$/.exec(text)
  if (digits !== null) return fromDigits(digits[1] as string, digits[2] ?? '')
  return fromIso(text)
}

/** The time of a whole number of nanoseconds since 1970, as a bigint or as decimal digits. Undefined when it is not, or beyond the year 9999. */
export function fromNanoseconds(value: bigint | string): ExactTime | undefined {
  if (typeof value === 'string' && !/^\d{1,20}$/.test(value)) return undefined
  const ns = BigInt(value)
  const ms = ns / 1_000_000n
  if (ns < 0n || ms > 253_402_300_799_999n) return undefined
  return { ms: Number(ms), subNs: Number(ns % 1_000_000n) }
}

function fromNumber(value: number): ExactTime | undefined {
  if (!Number.isFinite(value) || value < 0) return undefined
  if (Number.isSafeInteger(value)) return fromDigits(String(value), '')
  if (value >= 1e15) return fromDigits(BigInt(Math.floor(value)).toString(), '')
  // The shortest decimal text that is read back as the same double: further digits would only be noise of the binary form.
  const digits = String(value)
  const [whole = '0', fraction = ''] = digits.includes('e') ? value.toFixed(9).split('.') : digits.split('.')
  return fromDigits(whole, fraction)
}

/** The unit follows from the size of the whole part. */
function fromDigits(whole: string, fraction: string): ExactTime | undefined {
  const size = Number(whole)
  const places = size < SECONDS_MAX ? 9 : size < SECONDS_MAX * 1e3 ? 6 : size < SECONDS_MAX * 1e6 ? 3 : 0
  return fromNanoseconds(whole + fraction.slice(0, places).padEnd(places, '0'))
}

function fromIso(text: string): ExactTime | undefined {
  const match = ISO.exec(text)
  if (match === null) return undefined
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second = '00',
    fraction = '',
    ,
    sign,
    offsetHours = '0',
    offsetMinutes = '0',
  ] = match
  const isLeap = second === '60'
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    isLeap ? 59 : Number(second),
  )
  const date = new Date(ms)
  // Date.UTC takes 31 February as 3 March.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day) || Number(hour) > 23)
    return undefined
  if (Number(minute) > 59 || Number(second) > 60 || Number(year) < 1970) return undefined
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000 * (sign === '-' ? -1 : 1)
  const ns = isLeap ? 999_999_999 : Number(fraction.slice(0, 9).padEnd(9, '0'))
  const at = ms - offset + Math.floor(ns / NS_PER_MS)
  return at < 0 ? undefined : { ms: at, subNs: ns % NS_PER_MS }
}

/** The time in RFC 3339 with nanoseconds, in UTC. */
export function formatTime(ms: number, subNs: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}${String(subNs).padStart(6, '0')}Z`
}
