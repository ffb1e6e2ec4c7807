const DAY_MS = 86_400_000
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g

/** Whole weeks, negative or 0, that bring all times in `value` two days or more before now. */
export function weeksUntilPast(value: unknown): number {
  const latest = Math.max(...[...JSON.stringify(value).matchAll(TIME)].map(([time]) => Date.parse(time)))
  return Math.min(0, Math.floor((Date.now() - 2 * DAY_MS - latest) / (7 * DAY_MS)))
}

/** The same with every time so many days later. */
export function shiftDays<T>(value: T, days: number): T {
  if (days === 0) return value
  return JSON.parse(
    JSON.stringify(value).replaceAll(TIME, (time, fraction?: string) => {
      const text = new Date(Date.parse(time) + days * DAY_MS).toISOString()
      return fraction === undefined ? text.replace('.000', '') : text
    }),
  ) as T
}
