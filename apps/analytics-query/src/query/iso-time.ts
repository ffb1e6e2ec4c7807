const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))

/** The day that was asked for last: instants come in order, and Date takes ten times as long. */
let known = { day: Number.NaN, text: '' }

/** As Date.toISOString. */
export function isoTime(ms: number): string {
  const day = Math.floor(ms / DAY_MS)
  const minutes = (ms - day * DAY_MS) / MINUTE_MS
  if (!Number.isInteger(minutes)) return new Date(ms).toISOString()
  if (day !== known.day) known = { day, text: new Date(ms).toISOString().slice(0, -'00:00:00.000Z'.length) }
  return `${known.text}${TWO_DIGITS[Math.floor(minutes / 60)]}:${TWO_DIGITS[minutes % 60]}:00.000Z`
}
