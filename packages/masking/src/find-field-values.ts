import type { FieldNames } from './field-names.js'
import { JsonStrings } from './json-strings.js'
import type { Finding } from './mask-rule.js'

/** Shown in place of the value of a named field. */
export const MASKED_VALUE = '[masked]'

const SPACES_MAX = 8
const QUOTE = 0x22
const APOSTROPHE = 0x27
const BACKSLASH = 0x5c

/**
 * Finds the values of named fields inside a text: `password=…`, `api-key: …`, `Authorization: Bearer …`, `"token":"…"`, also where the text is a JSON
 * string inside another one (`\"token\":\"…\"`). A JSON value of any type is replaced as a whole, so that JSON stays valid.
 */
export function* findFieldValues(text: string, names: FieldNames): Generator<Finding> {
  const strings = new JsonStrings(text)
  let colon = text.indexOf(':')
  let equals = text.indexOf('=')
  let done = 0
  while (colon >= 0 || equals >= 0) {
    const isColonNext = equals < 0 || (colon >= 0 && colon < equals)
    const at = isColonNext ? colon : equals
    const finding = at < done ? undefined : findValueAt(text, at, names, strings)
    if (finding !== undefined && finding.end > finding.start) {
      yield finding
      done = finding.end
    }
    if (isColonNext) colon = text.indexOf(':', at + 1)
    else equals = text.indexOf('=', at + 1)
  }
}

/** The value behind the colon or equals sign at `at`, if a named field stands in front. */
function findValueAt(text: string, at: number, names: FieldNames, strings: JsonStrings): Finding | undefined {
  const nameEnd = skipSpacesBack(text, at)
  const closing = text.charCodeAt(nameEnd - 1)
  if (closing === QUOTE) {
    const level = quoteLevel(text, nameEnd - 1)
    if (!names.endsAt(text, nameEnd - 1 - backslashes(level), true)) return undefined
    return findJsonValue(text, skipSpaces(text, at + 1), level)
  }
  const end = closing === APOSTROPHE ? nameEnd - 1 : nameEnd
  return names.endsAt(text, end, false) ? findPlainValue(text, skipSpaces(text, at + 1), strings) : undefined
}

/** What follows a name in quotes: a string, an object or array, or a number or literal; null is left alone. */
function findJsonValue(text: string, start: number, level: number): Finding | undefined {
  const found = quoteLevelFrom(text, start)
  const quoteAt = start + backslashes(found)
  const first = text.charCodeAt(quoteAt)
  if (first === QUOTE) {
    // A quote of a string around this one ends that string.
    return found < level ? undefined : { start: quoteAt + 1, end: stringEnd(text, quoteAt + 1, found) }
  }
  const quote = `${'\\'.repeat(backslashes(level))}"`
  const replacement = `${quote}${MASKED_VALUE}${quote}`
  if (first === 0x7b || first === 0x5b) return { start, end: bracketsEnd(text, start, level), text: replacement }
  const end = literalEnd(text, start)
  return text.slice(start, end) === 'null' ? undefined : { start, end, text: replacement }
}

/** What follows a name without quotes. Ends at white space or at a character that separates fields. */
function findPlainValue(text: string, from: number, strings: JsonStrings): Finding | undefined {
  const start = skipScheme(text, from)
  const level = quoteLevelFrom(text, start)
  const quoteAt = start + backslashes(level)
  if (text.charCodeAt(quoteAt) === QUOTE) {
    // The quote that ends the JSON string in which the name stands opens no value.
    if (level === 0 && strings.isInside(start)) return undefined
    return { start: quoteAt + 1, end: stringEnd(text, quoteAt + 1, level) }
  }
  if (text.charCodeAt(start) === APOSTROPHE) return { start: start + 1, end: apostropheEnd(text, start + 1) }
  return { start, end: wordEnd(text, start) }
}

function skipScheme(text: string, from: number): number {
  SCHEME.lastIndex = from
  return from + (SCHEME.exec(text)?.[0].length ?? 0)
}
const SCHEME = /(?:bearer|basic) {1,4}/iy

/**
 * How deep in JSON strings a quote stands: `"` is 0, `\"` is 1, `\\\"` is 2. Pairs of backslashes before that are escaped backslashes, so the level is the
 * number of ones at the end of their count in binary.
 */
function quoteLevel(text: string, quoteAt: number): number {
  if (text.charCodeAt(quoteAt - 1) !== BACKSLASH) return 0
  let count = 0
  while (text.charCodeAt(quoteAt - 1 - count) === BACKSLASH) count++
  return trailingOnes(count)
}

/** The level of the quote that begins at `start`, its backslashes included; 0 where there is none. */
function quoteLevelFrom(text: string, start: number): number {
  if (text.charCodeAt(start) !== BACKSLASH) return 0
  let count = 0
  while (text.charCodeAt(start + count) === BACKSLASH) count++
  return text.charCodeAt(start + count) === QUOTE ? trailingOnes(count) : 0
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
function stringEnd(text: string, from: number, level: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    const found = quoteLevel(text, at)
    if (found <= level) return Math.max(from, at - backslashes(found))
  }
  return text.length
}

/** Where the object or array that begins at `start` ends, or the string around it. */
function bracketsEnd(text: string, start: number, level: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const found = quoteLevel(text, at)
      if (found < level) return at - backslashes(found)
      if (found > level) continue
      const end = stringEnd(text, at + 1, level)
      at = end + backslashes(level)
      if (quoteLevelFrom(text, end) !== level || text.charCodeAt(at) !== QUOTE) return end
    } else if (code === 0x7b || code === 0x5b) depth++
    else if ((code === 0x7d || code === 0x5d) && --depth === 0) return at + 1
  }
  return text.length
}

function literalEnd(text: string, start: number): number {
  LITERAL.lastIndex = start
  return start + (LITERAL.exec(text)?.[0].length ?? 0)
}
const LITERAL = /[\w.+-]+/y

function apostropheEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === APOSTROPHE) return at
    if (code === QUOTE) return Math.max(from, at - backslashes(quoteLevel(text, at)))
  }
  return text.length
}

/** An escape such as \n or \" ends the word as its character would; any other belongs to it as a pair. */
function wordEnd(text: string, start: number): number {
  let at = start
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (isSpace(code) || WORD_ENDS.has(code)) break
    if (code === BACKSLASH && at + 1 < text.length) {
      if (ESCAPED_WORD_ENDS.has(text.charCodeAt(at + 1))) break
      at++
    }
  }
  return Math.min(at, text.length)
}
const WORD_ENDS = new Set(Buffer.from(`"',;&}`))
const ESCAPED_WORD_ENDS = new Set(Buffer.from(`nrt"'`))

function skipSpaces(text: string, from: number): number {
  let at = from
  while (at < from + SPACES_MAX && isSpace(text.charCodeAt(at))) at++
  return at
}

function skipSpacesBack(text: string, end: number): number {
  let at = end
  while (at > end - SPACES_MAX && isSpace(text.charCodeAt(at - 1))) at--
  return at
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d)
}
