/**
 * The value at `keys` below `root`, undefined where there is none. Objects are looked up by their own keys. Lists are
 * looked up by index, written without sign or leading zeros; a list has no other keys (no `length`). `jsonFieldSql`
 * is the same rule in SQL.
 */
export function valueAt(root: unknown, keys: readonly string[]): unknown {
  let value = root
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    if (key === 'length' && Array.isArray(value)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/**
 * The text that stands for a JSON value as a dimension: a string stands for itself, numbers (as the nearest double)
 * and booleans are printed as JavaScript prints them. null, lists, objects and missing values have no text.
 * `readText` is the same rule over bytes, `isOneOfSql` in SQL.
 */
export function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return null
}

/**
 * The value of a numeric property: a finite JSON number, else NaN. `readNumber` is the same rule over bytes,
 * `numberSql` in SQL.
 */
export function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : Number.NaN
}

/** The number whose `textOf` is `text`; null when there is none. */
export function numberOfText(text: string): number | null {
  const number = Number(text)
  return Number.isFinite(number) && String(number) === text ? number : null
}
