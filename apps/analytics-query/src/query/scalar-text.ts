/**
 * The text that stands for a value as a dimension, the same for a rollup's series and for a raw row: a string is itself, a number
 * and a boolean are as JavaScript prints them; null, lists, objects and what is absent are null.
 */
export function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return null
}

/** The JSON values whose scalar text is `text`, so that a raw row can be compared without turning it into a text. */
export function jsonValuesOf(text: string): string[] {
  const values = [JSON.stringify(text)]
  if (text === 'true' || text === 'false') values.push(text)
  else if (text !== '' && String(Number(text)) === text && Number.isFinite(Number(text))) values.push(text)
  return values
}
