import { foldText } from '@millrace/column-store'
import type { LogRow } from '../search/compiled-query.js'

/** A value of an attribute that holds no others. */
export type Scalar = string | number | boolean

/** A line while a query is evaluated on it: what several conditions need is made once. */
export class QueryLine {
  readonly row: LogRow
  #attributes: Record<string, unknown> | undefined
  #foldedMessage: string | undefined
  #values: readonly string[] | undefined
  #foldedValues: readonly string[] | undefined

  constructor(row: LogRow) {
    this.row = row
  }

  get attributes(): Record<string, unknown> {
    this.#attributes ??= JSON.parse(this.row.attributesJson) as Record<string, unknown>
    return this.#attributes
  }

  get foldedMessage(): string {
    this.#foldedMessage ??= foldText(this.row.message)
    return this.#foldedMessage
  }

  /** The values of all attributes as texts, nested ones included. */
  get values(): readonly string[] {
    this.#values ??= this.row.attributesJson === '{}' ? [] : scalarsIn(this.attributes).map(String)
    return this.#values
  }

  get foldedValues(): readonly string[] {
    this.#foldedValues ??= this.values.map(foldText)
    return this.#foldedValues
  }
}

/** All values in a value, in their order. */
export function scalarsIn(value: unknown): Scalar[] {
  const found: Scalar[] = []
  const left: unknown[] = [value]
  while (left.length > 0) {
    const one = left.pop()
    if (typeof one === 'object' && one !== null) left.push(...Object.values(one).reverse())
    else if (one !== null && one !== undefined) found.push(one as Scalar)
  }
  return found
}

/**
 * The values at a path, as far as they are not null. Dots in keys and nested objects are the same: `http.status` finds `{"http.status":200}` and
 * `{"http":{"status":200}}`. A list stands for each of its items.
 */
export function valuesAt(value: unknown, path: readonly string[]): unknown[] {
  if (path.length === 0) return value === null || value === undefined ? [] : [value]
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, path))
  if (typeof value !== 'object' || value === null) return []
  const found: unknown[] = []
  let key = ''
  for (let parts = 1; parts <= path.length; parts++) {
    key = parts === 1 ? (path[0] as string) : `${key}.${path[parts - 1]}`
    if (Object.hasOwn(value, key)) found.push(...valuesAt((value as Record<string, unknown>)[key], path.slice(parts)))
  }
  return found
}
