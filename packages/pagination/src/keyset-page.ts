import { FirstItems } from './first-items.js'
import { encodeKeysetCursor, exactKey, isExact, type PageCursor } from './page-cursor.js'
import { compareSortKeys, type SortKey } from './sort-key.js'

/** Which page is wanted and how its items are ordered. */
export interface PageRequest<Item> {
  /** Null for the first page. */
  readonly cursor: PageCursor | null
  readonly limit: number
  /** End of the time range, which the cursors of all pages carry. */
  readonly toMs: number
  /** Different for each item. */
  readonly keyOf: (item: Item) => SortKey
  /** Default: compareSortKeys. */
  readonly compare?: ((a: SortKey, b: SortKey) => number) | undefined
}

/** The items of a page and where the next one begins. */
export interface Page<Item> {
  readonly page: Item[]
  /** A position for `bindCursor`; empty on the last page. */
  readonly nextCursor: string
}

/**
 * The first `limit` items after the cursor in the order of their keys. Items that are on no page yet come on exactly one, as long as keys do not change.
 * @throws CURSOR_OUTDATED when the last item of the page before is gone and its key did not fit into the cursor.
 */
export function takeKeysetPage<Item>(items: Iterable<Item>, request: PageRequest<Item>): Page<Item> {
  const { cursor, limit, toMs, keyOf, compare = compareSortKeys } = request
  const all = cursor === null || isExact(cursor.after) ? items : Array.from(items)
  const after = cursor && exactKey(cursor.after, keysOf(all, keyOf))
  const first = new FirstItems<SortKey, { readonly item: Item; readonly key: SortKey }>(limit + 1, compare)
  for (const item of all) {
    const key = keyOf(item)
    if (after === null || compare(key, after) > 0) first.add({ item, key })
  }
  const found = first.take()
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const isLast = last === undefined || page.length === found.length
  return { page: page.map(({ item }) => item), nextCursor: isLast ? '' : encodeKeysetCursor(toMs, last.key) }
}

/** Items whose keys begin alike and end with a number. At least one item. */
export interface Block<Item> {
  /** The common beginning. */
  readonly key: SortKey
  items(): readonly Item[]
}

/** As `PageRequest`, for items that are made block by block. */
export interface BlockPageRequest<Item> extends Omit<PageRequest<Item>, 'compare'> {
  /** Called once for each block; a promise lets other work run before the next one. */
  readonly pause?: () => Promise<void> | undefined
}

/** As takeKeysetPage with the default order. Makes only the items of blocks that have a part in the page. */
export async function takeBlockPage<Item>(
  blocks: Iterable<Block<Item>>,
  request: BlockPageRequest<Item>,
): Promise<Page<Item>> {
  const { cursor, limit, keyOf, pause } = request
  const all = cursor === null || isExact(cursor.after) ? blocks : Array.from(blocks)
  const after = cursor && exactBlockKey(cursor.after, all)
  const isLeft = (key: SortKey) => after === null || compareSortKeys(key, after) > 0
  // The block of the last item may have nothing left, and one more item tells whether the page is the last.
  const first = new FirstItems<SortKey, Block<Item>>(limit + 2, compareSortKeys)
  for (const block of all) {
    if (after === null || isLeft([...block.key, Number.POSITIVE_INFINITY])) first.add(block)
    await pause?.()
  }
  const items: Item[] = []
  for (const block of first.take()) {
    if (items.length > limit) break
    items.push(...block.items().filter((item) => isLeft(keyOf(item))))
  }
  return takeKeysetPage(items, { ...request, cursor: cursor && { ...cursor, after: after ?? [] } })
}

/** The number at the end of a key is always held whole, so only the block has to be found. */
function exactBlockKey<Item>(after: PageCursor['after'], blocks: Iterable<Block<Item>>): SortKey {
  if (isExact(after)) return after
  const last = after.at(-1)
  return [
    ...exactKey(
      after.slice(0, -1),
      keysOf(blocks, ({ key }) => key),
    ),
    typeof last === 'number' ? last : null,
  ]
}

function* keysOf<Item>(items: Iterable<Item>, keyOf: (item: Item) => SortKey): Generator<SortKey> {
  for (const item of items) yield keyOf(item)
}
