import { findUnstorable } from '@millrace/contracts'

/**
 * Which cells an answer needs of all that a query has: the first so many in an order, after a place where the order stays. `value`: the greatest first, equal ones
 * and, for `group`, all by the texts of their group, null before everything, then by code units as JavaScript compares. Whoever reads cells may give others as
 * well.
 */
export interface CellPage {
  readonly order: 'value' | 'group'
  readonly limit: number
  /** Of the cell before, in the order of groups; null: from the beginning. */
  readonly after: readonly (string | null)[] | null
}

/** Undefined for a place that no page ends at: it means what it means in memory. `groups` is how many fields make a group. */
export function groupPlaceOf(
  cursor: { readonly after: readonly (string | number | null)[] },
  groups: number,
): CellPage['after'] | undefined {
  const texts = cursor.after.filter(
    (text) => text === null || (typeof text === 'string' && findUnstorable(text) === null),
  )
  return texts.length === groups && cursor.after.length === groups ? (texts as (string | null)[]) : undefined
}
