import { doubleRange } from './double-range.js'
import { numberOfText } from './field-value.js'

/** Numbers up to it are read as the largest double. Larger ones count as no number, as `numberOf` has it. */
export const NUMBER_MAX = '1.797693134862315807e308'

/** A path below `properties` or `context` of an event. */
export interface JsonPath {
  readonly root: 'properties' | 'context'
  readonly keys: readonly string[]
}

/** Parameters of a statement under construction. */
export interface SqlParameters {
  /** Adds a value and returns its placeholder, cast to `type`. */
  add(value: unknown, type: string): string
}

/** What PostgreSQL takes for an index into a list, and which of these are indexes for `valueAt`. */
const LOOKS_LIKE_INDEX = /^\s*[+-]?\d+$/
const INDEX = /^(0|[1-9]\d*)$/

/** `valueAt` in SQL: the jsonb value at a path of the row `e` of `events`, null where there is none. */
export function jsonFieldSql({ root, keys }: JsonPath, parameters: SqlParameters): string {
  const at = (depth: number) => `e.${root} #> ${parameters.add(keys.slice(0, depth), 'text[]')}`
  const field = at(keys.length)
  const objects = keys.flatMap((key, depth) => (LOOKS_LIKE_INDEX.test(key) && !INDEX.test(key) ? [at(depth)] : []))
  if (objects.length === 0) return `(${field})`
  return `(case when ${objects.map((object) => `jsonb_typeof(${object}) = 'object'`).join(' and ')} then ${field} end)`
}

/**
 * The jsonb value `json` where it has a text by `textOf`, else null. Values with equal texts are equal, except
 * numbers with many digits.
 */
export function scalarSql(json: string): string {
  return `case when jsonb_typeof(${json}) in ('string', 'number', 'boolean') then ${json} end`
}

/** `numberOf` in SQL: the jsonb value `json` as numeric, with all its digits; null where it is no number. */
export function numberSql(json: string): string {
  return `case when jsonb_typeof(${json}) = 'number' and abs(${json}::numeric) <= ${NUMBER_MAX} then ${json}::numeric end`
}

/**
 * Whether the text that `textOf` gives for the jsonb value `json` is one of `texts`, as a condition that is true or
 * not true. Compares values instead of making texts: a number matches when its nearest double prints as one of them.
 */
export function isOneOfSql(json: string, texts: readonly string[], parameters: SqlParameters): string {
  const scalars = texts.flatMap((text) => [
    JSON.stringify(text),
    ...(text === 'true' || text === 'false' ? [text] : []),
  ])
  const [first, ...others] = scalars
  // Comparing with a list takes half as long again as comparing with one value.
  const isScalar =
    first !== undefined && others.length === 0
      ? `${json} = ${parameters.add(first, 'jsonb')}`
      : `${json} = any (${parameters.add(scalars, 'jsonb[]')})`
  const ranges = texts.flatMap((text) => rangeOfText(text) ?? [])
  if (ranges.length === 0) return isScalar
  return `case jsonb_typeof(${json}) when 'number' then ${json}::numeric <@ ${parameters.add(`{${ranges.join(',')}}`, 'nummultirange')} else ${isScalar} end`
}

function rangeOfText(text: string): string | undefined {
  const number = numberOfText(text)
  if (number === null) return undefined
  const { low, high, isClosed } = doubleRange(number)
  return isClosed ? `[${low},${high}]` : `(${low},${high})`
}
