import type { Page, PageRequest } from './keyset-page.js'
import { encodeRankedCursor } from './page-cursor.js'
import { addShown, NONE_SHOWN, takeUnshown } from './shown-items.js'
import { compareSortKeys } from './sort-key.js'

/**
 * A page of a ranking that changes between requests: the top items that were on no page before. An item that is present throughout comes on exactly one page.
 * `nameOf` stays the same while the key changes. @throws CURSOR_OUTDATED beyond 500 items when others have come among those shown.
 */
export function takeRankedPage<Item>(
  items: Iterable<Item>,
  request: PageRequest<Item> & { readonly nameOf: (item: Item) => string },
): Page<Item> {
  const { cursor, limit, toMs, keyOf, compare = compareSortKeys, nameOf } = request
  const shown = cursor?.shown ?? NONE_SHOWN
  const ranked = Array.from(items, (item) => ({ item, key: keyOf(item) })).sort((a, b) => compare(a.key, b.key))
  const rest = takeUnshown(ranked, shown, { limit, nameOf: ({ item }) => nameOf(item) })
  const page = rest.slice(0, limit).map(({ item }) => item)
  const isLast = page.length === rest.length
  return { page, nextCursor: isLast ? '' : encodeRankedCursor(toMs, addShown(shown, page.map(nameOf))) }
}
