import { CHUNK_MARKS, createTurns } from '../journeys/turns.js'
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
  const first = new FirstBlocks<Item>(limit + 2)
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

/** So many of those that come first; hundreds of thousands are not sorted for a page of some. */
class FirstBlocks<Item> {
  readonly #count: number
  #kept: Block<Item>[] = []
  /** What comes after it is not among them. */
  #last: SortKey | null = null

  constructor(count: number) {
    this.#count = count
  }

  add(block: Block<Item>): void {
    if (this.#last !== null && compareKeys(block.key, this.#last) > 0) return
    this.#kept.push(block)
    if (this.#kept.length < 2 * this.#count) return
    this.#kept = this.take()
    this.#last = this.#kept.at(-1)?.key ?? null
  }

  /** In their order. */
  take(): Block<Item>[] {
    return this.#kept.sort((a, b) => compareKeys(a.key, b.key)).slice(0, this.#count)
  }
}
