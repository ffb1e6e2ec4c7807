import { columnStoreErrors } from '../column-store-errors.js'
import { BoolAppender } from './bool-column.js'
import type { Appender } from './columns.js'
import { FloatAppender, IntAppender } from './number-column.js'
import { TextAppender } from './text-column.js'
import { TimeAppender, type TimeValue } from './time-column.js'

/** Appends a value of a row object. @throws COLUMN_VALUE_INVALID */
export function appendValue(appender: Appender, value: unknown): void {
  if (value === undefined || (value === null && appender.column.optional)) appender.appendNull()
  else if (appender instanceof TimeAppender) appendTime(appender, value)
  else if (appender instanceof IntAppender || appender instanceof FloatAppender) appender.append(value as number)
  else if (appender instanceof BoolAppender) appender.append(value as boolean)
  else if (appender instanceof TextAppender && appender.column.type === 'json') appendJson(appender, value)
  else if (typeof value === 'string') appender.appendString(value)
  else throw invalid(appender, 'the value is not a string')
}

function appendTime(appender: TimeAppender, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw invalid(appender, 'the value is not a time')
  const { ms, subNs } = value as TimeValue
  appender.append(ms, subNs)
}

function appendJson(appender: TextAppender, value: unknown): void {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw invalid(appender, 'the value cannot be written as JSON', cause)
  }
  if (text === undefined) throw invalid(appender, 'the value cannot be written as JSON')
  appender.appendString(text)
}

function invalid({ column }: Appender, reason: string, cause?: unknown): Error {
  return columnStoreErrors.COLUMN_VALUE_INVALID({
    message: `column ${column.name}: ${reason}`,
    details: { column: column.name },
    cause,
  })
}
