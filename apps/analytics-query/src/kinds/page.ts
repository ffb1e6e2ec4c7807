import { errors } from '../errors.js'
import { decodeCursor, encodeCursor } from '../query/cursor.js'

/** What orders points: compared from the left; null before everything, numbers by size, texts by code units. */
export type SortKey = readonly (string | number | null)[]

/** Where the range of the first page ended, and the key of the last point sent. */
export interface PageCursor {
  readonly kind: string
  readonly toMs: number
  readonly after: SortKey
}

/** Null for the first page. @throws INVALID_CURSOR */
export function decodePageCursor(cursor: string, kind: string): PageCursor | null {
  const decoded = decodeCursor(cursor, isPageCursor)
  if (decoded !== null && decoded.kind !== kind) throw errors.INVALID_CURSOR()
  return decoded
}

function isPageCursor(content: unknown): content is PageCursor {
  return (
    typeof content === 'object' &&
    content !== null &&
    'kind' in content &&
    'toMs' in content &&
    'after' in content &&
    Number.isSafeInteger(content.toMs) &&
    Array.isArray(content.after) &&
    // JSON reads 1e999 as Infinity and writes that as null, so its canonical key would be another page's.
    content.after.every((item) => item === null || typeof item === 'string' || Number.isFinite(item))
  )
}

export function compareKeys(a: SortKey, b: SortKey): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [left, right] = [a[i] ?? null, b[i] ?? null]
    if (left === right) continue
    if (left === null) return -1
    if (right === null) return 1
    if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1
    return left < right ? -1 : 1
  }
  return 0
}

export interface PageRequest<Item> {
  readonly kind: string
  readonly cursor: PageCursor | null
  readonly limit: number
  /** Where the range that was asked for ends. */
  readonly toMs: number
  /** Distinct for each item. */
  readonly keyOf: (item: Item) => SortKey
  /** Default: compareKeys. */
  readonly compare?: ((a: SortKey, b: SortKey) => number) | undefined
}

/** The items after the cursor in the order of their keys, at most `limit` of them, and the cursor of the next page, empty on the last one. */
export function takePage<Item>(
  items: Iterable<Item>,
  request: PageRequest<Item>,
): { page: Item[]; nextCursor: string } {
  const { kind, cursor, limit, toMs, keyOf, compare = compareKeys } = request
  const ordered = Array.from(items, (item) => ({ item, key: keyOf(item) })).sort((a, b) => compare(a.key, b.key))
  const rest = cursor === null ? ordered : ordered.filter(({ key }) => compare(key, cursor.after) > 0)
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  const nextCursor =
    last === undefined || page.length === rest.length ? '' : encodeCursor({ kind, toMs, after: last.key })
  return { page: page.map(({ item }) => item), nextCursor }
}

/** Items whose keys begin alike, and end with a number. */
export interface Block<Item> {
  readonly key: SortKey
  items(): readonly Item[]
}

/** As takePage in the order of compareKeys; items of blocks that have no part in the page are not made. */
export function takeBlocks<Item>(
  blocks: Iterable<Block<Item>>,
  request: Omit<PageRequest<Item>, 'compare'>,
): { page: Item[]; nextCursor: string } {
  const { cursor, limit, keyOf } = request
  const isLeft = (key: SortKey) => cursor === null || compareKeys(key, cursor.after) > 0
  const left = Array.from(blocks).filter(({ key }) => isLeft([...key, Number.POSITIVE_INFINITY]))
  const items: Item[] = []
  for (const block of left.sort((a, b) => compareKeys(a.key, b.key))) {
    if (items.length > limit) break
    items.push(...block.items().filter((item) => isLeft(keyOf(item))))
  }
  return takePage(items, request)
}
