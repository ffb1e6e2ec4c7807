import { isUtf8 } from 'node:buffer'
import type { ColumnReader } from '../columns/column-reader.js'
import type { Column } from '../columns/columns.js'
import { KeywordColumn } from '../columns/keyword-column.js'
import { TextColumn } from '../columns/text-column.js'
import { TimeColumn, type TimeValue } from '../columns/time-column.js'
import type { ColumnDefinitions, SchemaColumn } from '../schema.js'

/** Dates beyond this many milliseconds from 1970 have no ISO form. */
const DATE_MS_MAX = 8.64e15

/**
 * One row as a line of JSON that loses nothing: times with nine decimals of a second, JSON values as they were written. A value that JSON cannot hold
 * is an object with one key: `$base64` for bytes that are not UTF-8, `$text` for JSON that is not valid, `$number` for NaN and infinities,
 * `$time` for times beyond the year 275760. Columns without a value are left out.
 */
export function rowToJson<D extends ColumnDefinitions>(reader: ColumnReader<D>, row: number): string {
  const fields: string[] = []
  for (const definition of reader.schema.columns) {
    const value = valueToJson(reader.column(definition.name) as Column, definition, row)
    if (value !== undefined) fields.push(`${JSON.stringify(definition.name)}:${value}`)
  }
  return `{${fields.join(',')}}`
}

function valueToJson(column: Column, { type }: SchemaColumn, row: number): string | undefined {
  if (column.presence !== undefined && column.presence[row] === 0) return undefined
  if (column instanceof TimeColumn) return timeToJson(column.value(row) as TimeValue)
  if (column instanceof TextColumn || column instanceof KeywordColumn)
    return textToJson(column.view(row) as Buffer, type === 'json')
  const value = column.value(row)
  if (typeof value === 'number' && !Number.isFinite(value)) return JSON.stringify({ $number: String(value) })
  return Object.is(value, -0) ? '-0' : JSON.stringify(value)
}

function timeToJson({ ms, subNs }: TimeValue): string {
  if (Math.abs(ms) > DATE_MS_MAX) return JSON.stringify({ $time: { ms, subNs } })
  return `"${new Date(ms).toISOString().slice(0, -1)}${String(subNs).padStart(6, '0')}Z"`
}

function textToJson(bytes: Buffer, isJson: boolean): string {
  if (!isUtf8(bytes)) return JSON.stringify({ $base64: bytes.toString('base64') })
  const text = bytes.toString('utf8')
  if (!isJson) return JSON.stringify(text)
  // A line must stay one line.
  return isJsonText(text) ? text.replaceAll(/[\r\n]/g, ' ') : JSON.stringify({ $text: text })
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
