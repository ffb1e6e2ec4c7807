/** Pairs of texts that stand for true and false, in lower case. */
export const BOOLEAN_PAIRS = [
  ['true', 'false'],
  ['yes', 'no'],
  ['y', 'n'],
  ['t', 'f'],
  ['on', 'off'],
  ['1', '0'],
] as const

export type BooleanPair = readonly [string, string]

/** Capital letters are the same as small ones; undefined if the text is neither. */
export function parseBoolean(text: string, [yes, no]: BooleanPair): boolean | undefined {
  const value = text.trim().toLowerCase()
  return value === yes ? true : value === no ? false : undefined
}
