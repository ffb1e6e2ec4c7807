/**
 * The text that stands for a value as a dimension, the same for a rollup's series and for a raw row: a string is itself, a number
 * and a boolean are as JavaScript prints them; null, lists, objects and what is absent are null.
 */
export function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return null
}

/** The number whose scalar text is `text`; null when that is no number's. */
export function numberOfText(text: string): number | null {
  const number = Number(text)
  return Number.isFinite(number) && String(number) === text ? number : null
}
