import { APOSTROPHE, BACKSLASH, byteSet, isWhiteSpace, LETTERS_AND_DIGITS, QUOTE } from './byte-table.js'
import type { FieldNames, NameKind } from './field-names.js'
import { findIdEnd, skipQuote } from './find-id.js'
import type { JsonStrings } from './json-strings.js'
import { BUILT_IN_REPLACEMENTS, byteAt, type TextView } from './text-view.js'

const SPACES_MAX = 8

/** The value of a field in a text. */
export interface FieldValue {
  readonly kind: NameKind
  readonly start: number
  readonly end: number
  /** What replaces it, when that is not the word in brackets alone. */
  readonly text?: string
}

/** What the search for values reads. */
export interface FieldSearch {
  readonly view: TextView
  readonly names: FieldNames
  /** Read only when a quote has to be told apart. */
  readonly strings: () => JsonStrings
}

type Value = Omit<FieldValue, 'kind'>

/**
 * Finds the value behind the colon or equals sign at `at`, if a name that is known stands in front: `password=…`, `api-key: …`, `Authorization: Bearer …`,
 * `"token":"…"`, also where the text is a JSON string inside another one (`\"token\":\"…\"`). A JSON value of any type is replaced as a whole, so that
 * JSON stays valid.
 */
export function findFieldValue({ view, names, strings }: FieldSearch, at: number): FieldValue | undefined {
  const nameEnd = skipSpacesBack(view, at)
  const closing = nameEnd > view.start ? view.bytes[nameEnd - 1] : undefined
  if (closing === QUOTE) {
    const level = quoteLevel(view, nameEnd - 1)
    const kind = names.kindBefore(view, nameEnd - 1 - backslashes(level), true)
    if (kind !== 'secret') return kind && findId(view, at)
    return withKind(kind, findJsonValue(view, skipSpaces(view, at + 1), level))
  }
  const kind = names.kindBefore(view, closing === APOSTROPHE ? nameEnd - 1 : nameEnd, false)
  if (kind !== 'secret') return kind && findId(view, at)
  return withKind(kind, findPlainValue(view, skipSpaces(view, at + 1), strings))
}

function findId(view: TextView, at: number): FieldValue | undefined {
  const start = skipQuote(view, skipSpaces(view, at + 1))
  const end = findIdEnd(view, start)
  return end === undefined ? undefined : { kind: 'id', start, end }
}

function withKind(kind: NameKind, value: Value | undefined): FieldValue | undefined {
  return value === undefined ? undefined : { kind, ...value }
}

/** What follows a name in quotes: a string, an object or array, or a number or literal; null is left alone. */
function findJsonValue(view: TextView, start: number, level: number): Value | undefined {
  const found = quoteLevelFrom(view, start)
  const quoteAt = start + backslashes(found)
  const first = byteAt(view, quoteAt)
  if (first === QUOTE) {
    // A quote of a string around this one ends that string.
    return found < level ? undefined : { start: quoteAt + 1, end: stringEnd(view, quoteAt + 1, found) }
  }
  const quote = `${'\\'.repeat(backslashes(level))}"`
  const replacement = `${quote}${BUILT_IN_REPLACEMENTS.field}${quote}`
  if (first === 0x7b || first === 0x5b) return { start, end: bracketsEnd(view, start, level), text: replacement }
  const end = literalEnd(view, start)
  return isNull(view, start, end) ? undefined : { start, end, text: replacement }
}

/** What follows a name without quotes. Ends at white space or at a character that separates fields. */
function findPlainValue(view: TextView, from: number, strings: () => JsonStrings): Value | undefined {
  const start = skipScheme(view, from)
  const level = quoteLevelFrom(view, start)
  const quoteAt = start + backslashes(level)
  if (byteAt(view, quoteAt) === QUOTE) {
    // The quote that ends the JSON string in which the name stands opens no value.
    if (level === 0 && strings().isInside(start)) return undefined
    return { start: quoteAt + 1, end: stringEnd(view, quoteAt + 1, level) }
  }
  if (byteAt(view, start) === APOSTROPHE) return { start: start + 1, end: apostropheEnd(view, start + 1) }
  return { start, end: wordEnd(view, start) }
}

function skipScheme(view: TextView, from: number): number {
  const match = SCHEME.exec(view.bytes.toString('latin1', from, Math.min(view.end, from + 10)))
  return from + (match?.[0].length ?? 0)
}
const SCHEME = /^(?:bearer|basic) {1,4}/i

/**
 * How deep in JSON strings a quote stands: `"` is 0, `\"` is 1, `\\\"` is 2. Pairs of backslashes before that are escaped backslashes, so the level is the
 * number of ones at the end of their count in binary.
 */
function quoteLevel(view: TextView, quoteAt: number): number {
  if (byteAt(view, quoteAt - 1) !== BACKSLASH) return 0
  let count = 0
  while (byteAt(view, quoteAt - 1 - count) === BACKSLASH) count++
  return trailingOnes(count)
}

/** The level of the quote that begins at `start`, its backslashes included; 0 where there is none. */
function quoteLevelFrom(view: TextView, start: number): number {
  if (byteAt(view, start) !== BACKSLASH) return 0
  let count = 0
  while (byteAt(view, start + count) === BACKSLASH) count++
  return byteAt(view, start + count) === QUOTE ? trailingOnes(count) : 0
}

function trailingOnes(count: number): number {
  let ones = 0
  for (let rest = count; (rest & 1) === 1; rest >>= 1) ones++
  return ones
}

/** That a quote of this level has in front. */
function backslashes(level: number): number {
  return 2 ** level - 1
}

/** Where the string that is open at `from` ends: before the next quote of its level or of one around it. */
function stringEnd(view: TextView, from: number, level: number): number {
  for (let at = from; at < view.end; at++) {
    if (view.bytes[at] !== QUOTE) continue
    const found = quoteLevel(view, at)
    if (found <= level) return Math.max(from, at - backslashes(found))
  }
  return view.end
}

/** Where the object or array that begins at `start` ends, or the string around it. */
function bracketsEnd(view: TextView, start: number, level: number): number {
  let depth = 0
  for (let at = start; at < view.end; at++) {
    const code = byteAt(view, at)
    if (code === QUOTE) {
      const found = quoteLevel(view, at)
      if (found < level) return at - backslashes(found)
      if (found > level) continue
      const end = stringEnd(view, at + 1, level)
      at = end + backslashes(level)
      if (quoteLevelFrom(view, end) !== level || byteAt(view, at) !== QUOTE) return end
    } else if (code === 0x7b || code === 0x5b) depth++
    else if ((code === 0x7d || code === 0x5d) && --depth === 0) return at + 1
  }
  return view.end
}

function literalEnd(view: TextView, start: number): number {
  let end = start
  while (end < view.end && LITERAL[view.bytes[end] as number] === 1) end++
  return end
}
const LITERAL = byteSet(`${LETTERS_AND_DIGITS}_.+-`)

function isNull({ bytes }: TextView, start: number, end: number): boolean {
  return end - start === 4 && bytes.toString('latin1', start, end) === 'null'
}

function apostropheEnd(view: TextView, from: number): number {
  for (let at = from; at < view.end; at++) {
    const code = byteAt(view, at)
    if (code === APOSTROPHE) return at
    if (code === QUOTE) return Math.max(from, at - backslashes(quoteLevel(view, at)))
  }
  return view.end
}

/** An escape such as \n or \" ends the word as its character would; any other belongs to it as a pair. */
function wordEnd(view: TextView, start: number): number {
  let at = start
  for (; at < view.end; at++) {
    const code = byteAt(view, at)
    if (isWhiteSpace(code) || (code !== undefined && WORD_ENDS[code] === 1)) break
    if (code === BACKSLASH && at + 1 < view.end) {
      if (ESCAPED_WORD_ENDS[byteAt(view, at + 1) ?? 0] === 1) break
      at++
    }
  }
  return Math.min(at, view.end)
}
const WORD_ENDS = byteSet(`"',;&}`)
const ESCAPED_WORD_ENDS = byteSet(`nrt"'`)

function skipSpaces(view: TextView, from: number): number {
  let at = from
  while (at < from + SPACES_MAX && isWhiteSpace(byteAt(view, at))) at++
  return at
}

function skipSpacesBack(view: TextView, end: number): number {
  let at = end
  while (at > end - SPACES_MAX && isWhiteSpace(byteAt(view, at - 1))) at--
  return at
}
