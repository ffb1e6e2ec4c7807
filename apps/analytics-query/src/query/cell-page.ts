import { findUnstorable } from '@millrace/contracts'
import { isExact, isShortened, type PageCursor, type ShortenedText } from '@millrace/pagination'

/**
 * The part of a query's cells that one page of the answer needs. It is a hint: the reader of cells may return others as
 * well.
 * `value`: the greatest values first, and among equal ones, as in `group`, by the texts of the group: null first, then
 * by UTF-16 code units as JavaScript compares.
 */
export interface CellPage {
  readonly order: 'value' | 'group'
  readonly limit: number
  /**
   * Order `group` only: the group to continue after; null for the first page. Where a text of it is shortened, the
   * group itself is wanted too, so that its exact texts become known.
   */
  readonly after: readonly (string | null | ShortenedText)[] | null
}

/**
 * The page of groups after the cursor; undefined when the database cannot compare with its group, and all cells are
 * needed. `groups` is the number of group fields.
 */
export function groupPageOf(
  cursor: PageCursor | null,
  { limit, groups }: { readonly limit: number; readonly groups: number },
): CellPage | undefined {
  // One more than the page holds tells whether it is the last.
  if (cursor === null) return { order: 'group', limit: limit + 1, after: null }
  const after = cursor.after.filter(isComparable)
  if (cursor.after.length !== groups || after.length !== groups) return undefined
  return { order: 'group', limit: limit + (isExact(after) ? 1 : 2), after }
}

function isComparable(part: PageCursor['after'][number]): part is string | null | ShortenedText {
  if (part === null) return true
  const text = isShortened(part) ? part.prefix : part
  return typeof text === 'string' && findUnstorable(text) === null
}
