import { findUnstorable } from '@millrace/contracts'

/**
 * Which cells an answer needs of all that a query has: so many after a place, in an order. `value`: the greatest first, equal ones and, for `group`, all
 * by the texts of their group, null before everything, then by code units as JavaScript compares. Whoever reads cells may give others as well.
 */
export interface CellPage {
  readonly order: 'value' | 'group'
  readonly limit: number
  /** Of the cell before; null: from the beginning. */
  readonly after: { readonly value: number | null; readonly group: readonly (string | null)[] } | null
}

export interface PagePlace {
  readonly cursor: { readonly after: readonly (string | number | null)[] } | null
  readonly limit: number
  /** How many fields make a group. */
  readonly groups: number
}

/** One more than the page, to know whether it is the last. Undefined for a place that no page ends at: it means what it means in memory. */
export function cellPageOf(order: CellPage['order'], { cursor, limit, groups }: PagePlace): CellPage | undefined {
  if (cursor === null) return { order, limit: limit + 1, after: null }
  const [value, ...rest] = order === 'value' ? cursor.after : [null, ...cursor.after]
  const group = rest.filter((text) => text === null || (typeof text === 'string' && findUnstorable(text) === null))
  const isPlace = order === 'value' ? typeof value === 'number' : value === null
  if (!isPlace || rest.length !== groups || group.length !== groups) return undefined
  return { order, limit: limit + 1, after: { value: value as number | null, group: group as (string | null)[] } }
}
