import { BOOLEAN_PAIRS, type ColumnFormat, parseBoolean, parseDate, parseNumber } from '@millrace/import-files'
import type { EntityColumn } from '../entities/entity.js'
import type { ValueFault } from './reject.js'

/** A text that PostgreSQL casts to the type of the column, or why there is none. */
export type Converted = { readonly text: string } | ValueFault

const LENGTH_MAX = 255
/** numeric has up to 131,072 digits before the point; nobody means more than this. */
const DIGITS_MAX = 100
const INTEGER_MAX = 2n ** 63n - 1n

/** @throws nothing: whatever the text is, the result says what to do with it */
export function createValueConverter(
  column: EntityColumn,
  format: ColumnFormat | undefined,
): (text: string) => Converted {
  switch (column.type) {
    case 'text':
      return (text) => checkText(text, column)
    case 'integer':
    case 'decimal':
      return createNumberConverter(column, format)
    case 'boolean':
      return createBooleanConverter(format)
    case 'date':
    case 'timestamp':
      return createTimeConverter(column.type, format)
  }
}

function checkText(text: string, { lengthMax = LENGTH_MAX, values, pattern }: EntityColumn): Converted {
  // Characters are code points, as PostgreSQL counts them; the length in UTF-16 is never smaller.
  if (text.length > lengthMax && countCharacters(text) > lengthMax)
    return { code: 'too_long', reason: `the value has more than ${lengthMax} characters` }
  if (values !== undefined && !values.includes(text))
    return { code: 'not_allowed', reason: `the value must be one of ${values.join(', ')}` }
  if (pattern !== undefined && !pattern.expression.test(text))
    return { code: 'wrong_form', reason: `the value ${pattern.rule}` }
  return { text }
}

function createNumberConverter(column: EntityColumn, format: ColumnFormat | undefined): (text: string) => Converted {
  const mark = format?.type === 'integer' || format?.type === 'decimal' ? format.mark : 'point'
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = column
  const isInteger = column.type === 'integer'
  return (text) => {
    const number = parseNumber(text, mark)
    if (number === undefined)
      return { code: 'not_a_number', reason: `the value is not a number with a decimal ${mark}` }
    if (isInteger && !/^-?\d+(?:\.0+)?$/.test(number))
      return { code: 'not_an_integer', reason: 'the value is not a whole number' }
    const whole = isInteger ? number.replace(/\.0+$/, '') : number
    const value = Number(whole)
    if (value < min || value > max) return { code: 'out_of_range', reason: rangeOf(column) }
    if (whole.length > DIGITS_MAX || Math.abs(value) > 1e100)
      return { code: 'out_of_range', reason: `the value has more than ${DIGITS_MAX} digits` }
    if (isInteger && whole.length > 18 && !fitsInt8(whole))
      return { code: 'out_of_range', reason: 'the value does not fit into 64 bits' }
    return { text: whole }
  }
}

function rangeOf({ min, max }: EntityColumn): string {
  if (min === undefined) return `the value must be at most ${max}`
  return max === undefined ? `the value must be at least ${min}` : `the value must be from ${min} to ${max}`
}

function fitsInt8(digits: string): boolean {
  const value = BigInt(digits)
  return value <= INTEGER_MAX && value >= -INTEGER_MAX - 1n
}

function createBooleanConverter(format: ColumnFormat | undefined): (text: string) => Converted {
  const pairs = format?.type === 'boolean' ? [format.texts] : BOOLEAN_PAIRS
  return (text) => {
    for (const pair of pairs) {
      const value = parseBoolean(text, pair)
      if (value !== undefined) return { text: value ? 'true' : 'false' }
    }
    return { code: 'not_a_boolean', reason: `the value must be ${pairs.map((pair) => pair.join(' or ')).join(', ')}` }
  }
}

function createTimeConverter(
  type: 'date' | 'timestamp',
  format: ColumnFormat | undefined,
): (text: string) => Converted {
  const order = format?.type === 'date' || format?.type === 'timestamp' ? format.order : 'ymd'
  const zone = format?.type === 'timestamp' ? format.zone : 'UTC'
  return (text) => {
    const parsed = parseDate(text, order)
    if (type === 'date') {
      if (parsed === undefined || parsed.time !== undefined)
        return {
          code: 'not_a_date',
          reason: `the value is not a date in the order ${order}, or the day does not exist`,
        }
      return { text: parsed.date }
    }
    if (parsed === undefined)
      return {
        code: 'not_a_timestamp',
        reason: `the value is not a date and time in the order ${order}, or it does not exist`,
      }
    return { text: `${parsed.date} ${parsed.time ?? '00:00:00'} ${parsed.zone ?? zone}` }
  }
}

function countCharacters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
