import { findUnstorable } from '@millrace/contracts'
import { isTime } from '@millrace/contracts/http'
import { errors } from '../errors.js'

/** Fields of a query string or a JSON body, not validated yet. */
export type Params = Readonly<Record<string, unknown>>

/** A string; empty when absent. Throws INVALID_REQUEST for other values. */
export function readText(params: Params, name: string, lengthMax = 1024): string {
  const value = params[name]
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw invalid(name, 'a string')
  if (value.length > lengthMax) throw invalid(name, `a string of at most ${lengthMax} characters`)
  const unstorable = findUnstorable(value)
  if (unstorable === null) return value
  const { reason, position } = unstorable
  throw errors.INVALID_REQUEST({ message: `${name}: ${reason}`, details: { field: name, position } })
}

/** An RFC 3339 time, or undefined when absent. Throws INVALID_REQUEST for other values. */
export function readTime(params: Params, name: string): Date | undefined {
  const text = readText(params, name)
  if (text === '') return undefined
  if (!isTime(text)) throw invalid(name, 'a time such as 2026-11-21T08:00:00Z')
  return new Date(text)
}

/** A whole number; 0 when absent. Throws INVALID_REQUEST for other values. */
export function readCount(params: Params, name: string, { min, max }: { min: number; max: number }): number {
  const value = params[name]
  if (value === undefined || value === null || value === '') return 0
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
    throw invalid(name, `a whole number from ${min} to ${max}`)
  }
  return number
}

/** A list of strings: a JSON list, or words separated by commas. Throws INVALID_REQUEST for other values. */
export function readList(params: Params, name: string): string[] {
  const value = params[name]
  if (value === undefined || value === null || value === '') return []
  const items: unknown[] =
    typeof value === 'string' ? value.split(',').map((item) => item.trim()) : Array.isArray(value) ? value : [value]
  if (!items.every((item): item is string => typeof item === 'string' && item !== '' && item.length <= 1024))
    throw invalid(name, 'a list of strings')
  return items
}

/** true, false, or undefined when absent. Throws INVALID_REQUEST for other values. */
export function readFlag(params: Params, name: string): boolean | undefined {
  const value = params[name]
  if (value === undefined || value === null || value === '') return undefined
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw invalid(name, 'true or false')
}

export function invalid(name: string, wanted: string): Error {
  return errors.INVALID_REQUEST({ message: `${name} must be ${wanted}`, details: { field: name } })
}
