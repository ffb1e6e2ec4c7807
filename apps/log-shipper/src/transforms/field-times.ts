import { type ExactTime, fromNanoseconds } from '../records/parse-time.js'

/** Units of numbers since 1970. */
export const UNIX_UNITS = ['unix', 'unix_ms', 'unix_us', 'unix_ns'] as const
type UnixUnit = (typeof UNIX_UNITS)[number]

const PLACES = { unix: 9, unix_ms: 6, unix_us: 3, unix_ns: 0 } as const satisfies Record<UnixUnit, number>

/** The time of a number, or of its digits, in the given unit. Digits below a nanosecond are cut. */
export function readUnixTime(value: unknown, unit: UnixUnit): ExactTime | undefined {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value).trim() : ''
  const [, whole, fraction = ''] = /^(\d{1,19})(?:\.(\d{1,30}))?$/.exec(text) ?? []
  if (whole === undefined) return undefined
  const places = PLACES[unit]
  return fromNanoseconds(`${whole}${fraction.slice(0, places).padEnd(places, '0')}`.replace(/^0+(?=\d)/, ''))
}

const CLF = /^\[?(\d{1,2})\/([A-Za-z]{3})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\]?$/
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** The time of the Common Log Format of web servers: 10/Oct/2000:13:55:36 -0700. */
export function readClfTime(text: string): ExactTime | undefined {
  if (text.length > 40) return undefined
  const [, day, month = '', year, hour, minute, second, sign, offsetHours, offsetMinutes] = CLF.exec(text.trim()) ?? []
  const index = MONTHS.indexOf(month.toLowerCase())
  if (index < 0) return undefined
  const ms = Date.UTC(Number(year), index, Number(day), Number(hour), Number(minute), Number(second))
  const date = new Date(ms)
  // Date.UTC takes 31 February as 3 March.
  if (date.getUTCDate() !== Number(day) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    return undefined
  const at = ms - (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000 * (sign === '-' ? -1 : 1)
  return at < 0 ? undefined : { ms: at, subNs: 0 }
}
