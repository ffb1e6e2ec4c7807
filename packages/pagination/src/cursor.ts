import { createHash } from 'node:crypto'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import {
  type CursorValue,
  decodeValues,
  encodedLength,
  encodeValues,
  HASH_BYTES,
  hashOfText,
  isShortened,
  type ShortenedText,
} from './cursor-values.js'
import { paginationErrors } from './errors.js'

/** Nine bytes, so that the binding and what follows it are one base64url text. */
const BINDING_LENGTH = 12
const BYTES_MAX = ((CURSOR_LENGTH_MAX - BINDING_LENGTH) / 4) * 3
/** Raised whenever cursors change their form, so that those of an older version are refused and not misread. */
const VERSION = 2
/** A tag and a length. */
const HEAD_BYTES = 5

/**
 * A position as text, not yet bound to a query. With `bindCursor` it has at most CURSOR_LENGTH_MAX characters: texts that do not fit are replaced
 * by their beginning and a hash (ShortenedText), the same share of the space for each. At most 50 values.
 */
export function encodePosition(values: readonly CursorValue[]): string {
  return encodeValues(shortenTexts(values)).toString('base64url')
}

/**
 * The values of `encodePosition`; null for an empty text, which stands for the first page. `isPosition` checks everything about them: a cursor may be forged.
 * @throws INVALID_CURSOR
 */
export function decodePosition<T extends readonly CursorValue[]>(
  position: string,
  isPosition: (values: readonly CursorValue[]) => values is T,
): T | null {
  if (position === '') return null
  const values = /^[\w-]+$/.test(position) ? decodeValues(Buffer.from(position, 'base64url')) : null
  if (values === null || !isPosition(values)) throw paginationErrors.INVALID_CURSOR()
  return values
}

/** The cursor that a client gets: a position that is valid for one query alone. An empty position stays empty. `query` is plain data, always in the same order. */
export function bindCursor(position: string, query: unknown): string {
  return position === '' ? '' : `${bindingOf(query)}${position}`
}

/** The position in a cursor. @throws INVALID_CURSOR for the cursor of another query. */
export function unbindCursor(cursor: string, query: unknown): string {
  if (cursor === '') return ''
  if (!cursor.startsWith(bindingOf(query))) throw paginationErrors.INVALID_CURSOR()
  return cursor.slice(BINDING_LENGTH)
}

function bindingOf(query: unknown): string {
  const text = JSON.stringify([VERSION, query], (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))
  return createHash('sha256').update(text).digest('base64url').slice(0, BINDING_LENGTH)
}

function shortenTexts(values: readonly CursorValue[]): readonly CursorValue[] {
  const bytes = values.reduce<number>((sum, value) => sum + encodedLength(value), 0)
  if (bytes <= BYTES_MAX) return values
  const texts = values.filter((value) => typeof value === 'string')
  const others = bytes - texts.reduce((sum, text) => sum + encodedLength(text), 0)
  const share = Math.floor((BYTES_MAX - others) / texts.length)
  return values.map((value) =>
    typeof value === 'string' && encodedLength(value) > share ? shorten(value, share - HEAD_BYTES - HASH_BYTES) : value,
  )
}

function shorten(text: string, bytesMax: number): ShortenedText {
  const bytes = Buffer.from(text)
  let end = bytesMax
  // Not within a character, whose second and further bytes are 10xxxxxx.
  while (((bytes[end] as number) & 0xc0) === 0x80) end--
  return { prefix: bytes.toString('utf8', 0, end), hash: hashOfText(text) }
}

/** Whether a value of a row is the one that a cursor holds. */
export function isValueAt(value: string | number | null, held: CursorValue): boolean {
  if (!isShortened(held)) return value === held
  return typeof value === 'string' && value.startsWith(held.prefix) && hashOfText(value) === held.hash
}
