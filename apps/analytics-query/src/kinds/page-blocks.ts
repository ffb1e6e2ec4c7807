import { CHUNK_MARKS, createTurns } from '../journeys/turns.js'
import { FirstOf } from './first-of.js'
import { compareKeys, type PageRequest, type SortKey, takePage } from './page.js'

/** Items whose keys begin alike, and end with a number. At least one. */
export interface Block<Item> {
  readonly key: SortKey
  items(): readonly Item[]
}

/** As takePage in the order of compareKeys. Items of blocks that have no part in the page are not made, and others work in between. */
export async function takeBlocks<Item>(
  blocks: Iterable<Block<Item>>,
  request: Omit<PageRequest<Item>, 'compare'>,
): Promise<{ page: Item[]; nextCursor: string }> {
  const { cursor, limit, keyOf } = request
  const isLeft = (key: SortKey) => cursor === null || compareKeys(key, cursor.after) > 0
  const turn = createTurns()
  // The one that the cursor is in may have nothing left.
  const first = new FirstOf<SortKey, Block<Item>>(limit + 2, compareKeys)
  for (const block of blocks) {
    if (cursor === null || isLeft([...block.key, Number.POSITIVE_INFINITY])) first.add(block)
    const pause = turn(CHUNK_MARKS)
    if (pause !== undefined) await pause
  }
  const items: Item[] = []
  for (const block of first.take()) {
    if (items.length > limit) break
    items.push(...block.items().filter((item) => isLeft(keyOf(item))))
  }
  return takePage(items, request)
}
