import { DAY_MS, MINUTE_MS } from '@millrace/contracts'

/** The day that was parsed last. Most events of a batch are of the same day. */
let cachedDate = -1
let cachedDayMs = 0

/**
 * An RFC 3339 time in milliseconds since 1970, without fractions of a millisecond; NaN for any other text. Bytes `start` to `end` are the text
 * without quotes. Years 0000 to 9999. Date, time with seconds, and offset are required; T and Z may be lower case, and T may be a space. A leap
 * second (60) counts as the first second of the next minute.
 */
export function parseTimestamp(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length < 20 || length > 40) return Number.NaN
  const year = two(bytes, start) * 100 + two(bytes, start + 2)
  const date = year * 10_000 + two(bytes, start + 5) * 100 + two(bytes, start + 8)
  if (
    bytes[start + 4] !== 0x2d ||
    bytes[start + 7] !== 0x2d ||
    bytes[start + 13] !== 0x3a ||
    bytes[start + 16] !== 0x3a
  )
    return Number.NaN
  const separator = bytes[start + 10] as number
  if ((separator | 0x20) !== 0x74 && separator !== 0x20) return Number.NaN
  const hour = two(bytes, start + 11)
  const minute = two(bytes, start + 14)
  const second = two(bytes, start + 17)
  if (!(hour <= 23 && minute <= 59 && second <= 60)) return Number.NaN
  if (date !== cachedDate) {
    const dayMs = dayToMs(date)
    if (Number.isNaN(dayMs)) return Number.NaN
    cachedDate = date
    cachedDayMs = dayMs
  }
  const clockMs = ((hour * 60 + minute) * 60 + second) * 1000
  return cachedDayMs + clockMs + parseRest(bytes, start + 19, end)
}

/** Fraction and offset of a time, as milliseconds to add to its clock time. */
function parseRest(bytes: Uint8Array, start: number, end: number): number {
  let p = start
  let fractionMs = 0
  if (bytes[p] === 0x2e) {
    const first = ++p
    for (let weight = 100; p < end && isDigit(bytes[p] as number); p++, weight /= 10) {
      if (weight >= 1) fractionMs += ((bytes[p] as number) - 0x30) * weight
    }
    if (p === first) return Number.NaN
  }
  const zone = bytes[p] as number
  if ((zone | 0x20) === 0x7a) return p + 1 === end ? fractionMs : Number.NaN
  if (zone !== 0x2b && zone !== 0x2d) return Number.NaN
  const hasColon = bytes[p + 3] === 0x3a
  if (p + (hasColon ? 6 : 5) !== end) return Number.NaN
  const hours = two(bytes, p + 1)
  const minutes = two(bytes, p + (hasColon ? 4 : 3))
  if (!(hours <= 23 && minutes <= 59)) return Number.NaN
  const offsetMs = (hours * 60 + minutes) * MINUTE_MS
  return zone === 0x2b ? fractionMs - offsetMs : fractionMs + offsetMs
}

/** Midnight UTC of a date given as the number yyyymmdd; NaN if there is no such day. */
function dayToMs(date: number): number {
  const day = date % 100
  const month = Math.floor(date / 100) % 100
  const year = Math.floor(date / 10_000)
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31)) return Number.NaN
  const time = new Date(0)
  time.setUTCFullYear(year, month - 1, day)
  const ms = time.getTime()
  return time.getUTCDate() === day ? ms - (ms % DAY_MS) : Number.NaN
}

/** Two digits as a number; NaN if one of them is not a digit. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at] as number
  const ones = bytes[at + 1] as number
  return isDigit(tens) && isDigit(ones) ? (tens - 0x30) * 10 + ones - 0x30 : Number.NaN
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
