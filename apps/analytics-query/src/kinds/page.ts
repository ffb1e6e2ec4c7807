import { errors } from '../errors.js'
import { decodeCursor, encodeCursor } from '../query/cursor.js'
import { FirstOf } from './first-of.js'
import { addShown, isShownGroups, NONE_SHOWN, type ShownGroups, takeUnshown } from './shown-groups.js'

/** What orders points: compared from the left; null before everything, numbers by size, texts by code units. */
export type SortKey = readonly (string | number | null)[]

/** Where the range of the first page ended, and the key of the last point sent, or the groups sent so far where the order moves. */
export interface PageCursor {
  readonly kind: string
  readonly toMs: number
  readonly after: SortKey
  readonly shown?: ShownGroups
}

/** Null for the first page. @throws INVALID_CURSOR */
export function decodePageCursor(
  cursor: string,
  kind: string,
  { isRanked = false }: { readonly isRanked?: boolean } = {},
): PageCursor | null {
  const decoded = decodeCursor(cursor, isPageCursor)
  if (decoded === null) return null
  if (decoded.kind !== kind || (decoded.shown !== undefined) !== isRanked) throw errors.INVALID_CURSOR()
  return decoded
}

/** What of a cursor decides about the page, as plain data. */
export function canonicalPlace(cursor: PageCursor | null): unknown {
  return cursor && [cursor.after, cursor.shown?.count ?? 0, cursor.shown?.marks ?? '']
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
    content.after.every((item) => item === null || typeof item === 'string' || Number.isFinite(item)) &&
    (!('shown' in content) || isShownGroups(content.shown))
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
  const first = new FirstOf<SortKey, { readonly item: Item; readonly key: SortKey }>(limit + 1, compare)
  for (const item of items) {
    const key = keyOf(item)
    if (cursor === null || compare(key, cursor.after) > 0) first.add({ item, key })
  }
  const found = first.take()
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const nextCursor =
    last === undefined || page.length === found.length ? '' : encodeCursor({ kind, toMs, after: last.key })
  return { page: page.map(({ item }) => item), nextCursor }
}

/**
 * As takePage, of items whose order moves while events come in: a page has those that come first of all that were not on a page before, so each that was there
 * all the time is on exactly one. `nameOf` stays the same while the key moves. @throws CURSOR_OUTDATED
 */
export function takeRankedPage<Item>(
  items: Iterable<Item>,
  request: PageRequest<Item> & { readonly nameOf: (item: Item) => string },
): { page: Item[]; nextCursor: string } {
  const { kind, cursor, limit, toMs, nameOf } = request
  const shown = cursor?.shown ?? NONE_SHOWN
  const ranked = orderItems(items, request).map(({ item }) => item)
  const rest = takeUnshown(ranked, shown, { limit, nameOf })
  const page = rest.slice(0, limit)
  const place = { kind, toMs, after: [] }
  const isLast = page.length === rest.length
  return { page, nextCursor: isLast ? '' : encodeCursor({ ...place, shown: addShown(shown, page.map(nameOf)) }) }
}

function orderItems<Item>(items: Iterable<Item>, { keyOf, compare = compareKeys }: PageRequest<Item>) {
  return Array.from(items, (item) => ({ item, key: keyOf(item) })).sort((a, b) => compare(a.key, b.key))
}
