/** The order of year, month and day; `mon` is the name of an English month. A year has four digits, `yy` two: 00 to 69 are 2000 to 2069. */
export type DateOrder = 'ymd' | 'dmy' | 'mdy' | 'yymd' | 'dmyy' | 'mdyy' | 'd-mon-y' | 'mon-d-y'

export interface ParsedDate {
  /** YYYY-MM-DD */
  readonly date: string
  /** HH:MM:SS with the fraction of the file; undefined for a date alone. */
  readonly time: string | undefined
  /** `Z` or ±HH:MM; undefined if the text names none. */
  readonly zone: string | undefined
}

export const DATE_ORDERS: readonly DateOrder[] = ['ymd', 'dmy', 'mdy', 'yymd', 'dmyy', 'mdyy', 'd-mon-y', 'mon-d-y']

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const LONG_MONTHS =
  'january|february|march|april|june|july|august|september|october|november|december|sept|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec'
const TIME =
  '(?:[T ,]\\s?(\\d{1,2}):(\\d{2})(?::(\\d{2})(?:[.,](\\d{1,9}))?)?\\s?([AaPp][Mm])?\\s?(Z|UTC|GMT|[+-]\\d{2}(?::?\\d{2})?)?)?'

type Fields = 'year' | 'month' | 'day'

const parts: Readonly<Record<DateOrder, { readonly date: string; readonly fields: readonly Fields[] }>> = {
  ymd: { date: '(\\d{4})([-/.])(\\d{1,2})\\2(\\d{1,2})', fields: ['year', 'month', 'day'] },
  dmy: { date: '(\\d{1,2})([-/.])(\\d{1,2})\\2(\\d{4})', fields: ['day', 'month', 'year'] },
  mdy: { date: '(\\d{1,2})([-/.])(\\d{1,2})\\2(\\d{4})', fields: ['month', 'day', 'year'] },
  yymd: { date: '(\\d{2})([-/.])(\\d{1,2})\\2(\\d{1,2})', fields: ['year', 'month', 'day'] },
  dmyy: { date: '(\\d{1,2})([-/.])(\\d{1,2})\\2(\\d{2})', fields: ['day', 'month', 'year'] },
  mdyy: { date: '(\\d{1,2})([-/.])(\\d{1,2})\\2(\\d{2})', fields: ['month', 'day', 'year'] },
  'd-mon-y': { date: `(\\d{1,2})([-/. ])(${LONG_MONTHS})\\.?,?\\2(\\d{4})`, fields: ['day', 'month', 'year'] },
  'mon-d-y': { date: `(${LONG_MONTHS})\\.?([-/. ])(\\d{1,2}),?\\2(\\d{4})`, fields: ['month', 'day', 'year'] },
}

const GRAMMARS = Object.fromEntries(
  DATE_ORDERS.map((order) => [order, new RegExp(`^${parts[order].date}${TIME}$`, 'i')]),
) as Readonly<Record<DateOrder, RegExp>>

/** The date and time of a text; undefined if it is none in this order, or one that does not exist, such as 30 February. */
export function parseDate(text: string, order: DateOrder): ParsedDate | undefined {
  const match = GRAMMARS[order].exec(text.trim())
  if (match === null) return undefined
  const values = {
    [parts[order].fields[0] as Fields]: match[1],
    [parts[order].fields[1] as Fields]: match[3],
    [parts[order].fields[2] as Fields]: match[4],
  }
  const date = toDate(values as Record<Fields, string>)
  const time = toTime(match)
  if (date === undefined || time === null) return undefined
  return { date, time, zone: time === undefined ? undefined : toZone(match[10]) }
}

function toDate({ year, month, day }: Record<Fields, string>): string | undefined {
  const y = year.length === 2 ? Number(year) + (Number(year) < 70 ? 2000 : 1900) : Number(year)
  const m = /^\d/.test(month) ? Number(month) : MONTHS.indexOf(month.slice(0, 3).toLowerCase()) + 1
  const d = Number(day)
  if (m < 1 || m > 12 || d < 1 || d > daysOfMonth(y, m) || y < 1) return undefined
  return `${String(y).padStart(4, '0')}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`
}

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Undefined: there is no time. Null: it does not exist. */
function toTime(match: RegExpExecArray): string | undefined | null {
  const [hourText, minute, second = '00', fraction, half] = match.slice(5, 10)
  if (hourText === undefined) return undefined
  let hour = Number(hourText)
  if (half !== undefined) {
    if (hour < 1 || hour > 12) return null
    hour = (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0)
  }
  if (hour > 23 || Number(minute) > 59 || Number(second) > 59) return null
  return `${String(hour).padStart(2, '0')}:${minute}:${second}${fraction === undefined ? '' : `.${fraction}`}`
}

function toZone(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (/^[a-z]/i.test(text)) return 'Z'
  return `${text.slice(0, 3)}:${text.length > 3 ? text.slice(-2) : '00'}`
}
