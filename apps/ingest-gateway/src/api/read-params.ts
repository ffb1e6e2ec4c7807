import { findUnstorable } from '@millrace/contracts'
import { isTime } from '@millrace/contracts/http'
import { errors } from '../errors.js'

/** Fields of a query string or a JSON body, of which every one may hold anything. */
export type Params = Readonly<Record<string, unknown>>

/** A text, or an empty one when absent. Throws INVALID_REQUEST otherwise. */
export function readText(params: Params, name: string, lengthMax = 1024): string {
  const value = params[name]
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw invalid(name, 'a text')
  if (value.length > lengthMax) throw invalid(name, `a text of at most ${lengthMax} characters`)
  const unstorable = findUnstorable(value)
  if (unstorable === null) return value
  const { reason, position } = unstorable
  throw errors.INVALID_REQUEST({ message: `${name}: ${reason}`, details: { field: name, position } })
}

/** A time in RFC 3339, or undefined when absent. */
export function readTime(params: Params, name: string): Date | undefined {
  const text = readText(params, name)
  if (text === '') return undefined
  if (!isTime(text)) throw invalid(name, 'a time such as 2026-11-21T08:00:00Z')
  return new Date(text)
}

/** A whole number, or 0 when absent. */
export function readCount(params: Params, name: string, { min, max }: { min: number; max: number }): number {
  const value = params[name]
  if (value === undefined || value === null || value === '') return 0
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
    throw invalid(name, `a whole number from ${min} to ${max}`)
  }
  return number
}

/** A list of texts: a JSON list, or words separated by commas. */
export function readList(params: Params, name: string): string[] {
  const value = params[name]
  if (value === undefined || value === null || value === '') return []
  const items: unknown[] =
    typeof value === 'string' ? value.split(',').map((item) => item.trim()) : Array.isArray(value) ? value : [value]
  if (!items.every((item): item is string => typeof item === 'string' && item !== '' && item.length <= 1024))
    throw invalid(name, 'a list of texts')
  return items
}

export function invalid(name: string, wanted: string): Error {
  return errors.INVALID_REQUEST({ message: `${name} must be ${wanted}`, details: { field: name } })
}

/** A misspelt name would otherwise be passed over, and the answer be about everybody. @throws INVALID_REQUEST */
export function refuseUnknown(params: Params, known: readonly string[]): void {
  const unknown = Object.keys(params).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const message = `there is no parameter ${unknown}: it takes ${known.join(', ')}`
  throw errors.INVALID_REQUEST({ message, details: { field: unknown } })
}
