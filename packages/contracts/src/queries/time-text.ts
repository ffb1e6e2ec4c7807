const RFC3339 = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d))?$/

/** Whether a text is an existing day or time in RFC 3339: `Date.parse` alone would read February 30 as March 2. */
export function isTime(value: string): boolean {
  if (!RFC3339.test(value) || Number.isNaN(Date.parse(value))) return false
  const day = value.slice(0, 10)
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)
}
