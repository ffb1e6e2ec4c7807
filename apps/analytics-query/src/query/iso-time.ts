import { DAY_MS, MINUTE_MS } from '@millrace/contracts'

const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))

/** Dates as text are cached: making one by Date takes ten times as long. */
const DAYS_MAX = 4_000
const knownDays = new Map<number, string>()

/** The same text as Date.toISOString, faster. */
export function isoTime(ms: number): string {
  const day = Math.floor(ms / DAY_MS)
  const minutes = (ms - day * DAY_MS) / MINUTE_MS
  if (!Number.isInteger(minutes)) return new Date(ms).toISOString()
  return `${startOfText(day)}${TWO_DIGITS[Math.floor(minutes / 60)]}:${TWO_DIGITS[minutes % 60]}:00.000Z`
}

function startOfText(day: number): string {
  let text = knownDays.get(day)
  if (text === undefined) {
    text = new Date(day * DAY_MS).toISOString().slice(0, -'00:00:00.000Z'.length)
    if (knownDays.size >= DAYS_MAX) knownDays.clear()
    knownDays.set(day, text)
  }
  return text
}
