import { decodePosition, encodePosition, isValueAt } from './cursor.js'
import { type CursorValue, isShortened, type ShortenedText } from './cursor-values.js'
import { paginationErrors } from './errors.js'
import { isShownItems, type ShownItems } from './shown-items.js'
import type { SortKey } from './sort-key.js'

/** The key of the last item of a page. A text too long for a cursor is shortened. */
export type HeldKey = readonly (string | number | null | ShortenedText)[]

/** Where a page ended. All pages have the time range of the first one, whose end is `toMs`. */
export interface PageCursor {
  readonly toMs: number
  /** Empty in a ranking, whose items may move between two pages. */
  readonly after: HeldKey
  /** The items of all pages before, in a ranking. */
  readonly shown?: ShownItems
}

/** Null for the first page. `isRanked`: whether the cursor belongs to a ranking. @throws INVALID_CURSOR */
export function decodePageCursor(
  position: string,
  { isRanked = false }: { readonly isRanked?: boolean } = {},
): PageCursor | null {
  if (isRanked) {
    const values = decodePosition(position, isRankedPosition)
    return values && { toMs: values[0], after: [], shown: { count: values[1], fingerprints: values[2] } }
  }
  const values = decodePosition(position, isKeysetPosition)
  return values && { toMs: values[0], after: values.slice(1) as unknown as HeldKey }
}

/** The position after an item with this key, in a range that ends at `toMs`. */
export function encodeKeysetCursor(toMs: number, after: SortKey): string {
  return encodePosition([toMs, ...after])
}

/** The position after these items of a ranking, in a range that ends at `toMs`. */
export function encodeRankedCursor(toMs: number, { count, fingerprints }: ShownItems): string {
  return encodePosition([toMs, count, fingerprints])
}

/** What of a cursor decides about the page, as plain data. */
export function canonicalPosition(cursor: PageCursor | null): unknown {
  if (cursor === null) return null
  const { after, shown } = cursor
  return [after, shown?.count ?? 0, shown === undefined ? '' : Buffer.from(shown.fingerprints).toString('base64url')]
}

/**
 * The exact key of the last item of the page before. Where the cursor holds only the beginning of a text, the item is looked up among `keys`.
 * @throws CURSOR_OUTDATED when the cursor holds a shortened text and the item is gone.
 */
export function exactKey(after: HeldKey, keys: Iterable<SortKey>): SortKey {
  if (isExact(after)) return after
  for (const key of keys)
    if (key.length === after.length && after.every((held, at) => isValueAt(key[at] ?? null, held))) return key
  throw paginationErrors.CURSOR_OUTDATED({
    message: 'the last row of the page before is gone: begin with the first page again',
  })
}

/** Whether the key is held whole, with no text shortened. */
export function isExact(after: HeldKey): after is SortKey {
  return !after.some(isShortened)
}

function isKeysetPosition(values: readonly CursorValue[]): values is readonly [number, ...HeldKey] {
  const [toMs, ...after] = values
  return Number.isSafeInteger(toMs) && !after.some((value) => value instanceof Uint8Array)
}

function isRankedPosition(values: readonly CursorValue[]): values is readonly [number, number, Uint8Array] {
  const [toMs, count, fingerprints, ...others] = values
  return Number.isSafeInteger(toMs) && isShownItems(count, fingerprints) && others.length === 0
}
