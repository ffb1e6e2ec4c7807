import { BYTE_KIND, byteSet, DIGIT, isWhiteSpace, LETTERS_AND_DIGITS, pairOf, UPPER } from './byte-table.js'
import { SECRET_PREFIXES, type SecretPrefix } from './secret-prefixes.js'
import { byteAt, byteBefore, type TextView } from './text-view.js'

const WORD = byteSet(`${LETTERS_AND_DIGITS}_`)
const TOKEN = byteSet(`${LETTERS_AND_DIGITS}_-`)
const DOTTED = byteSet(`${LETTERS_AND_DIGITS}_-.`)
const CREDENTIAL = byteSet(`${LETTERS_AND_DIGITS}._~+/=-`)
const BODIES = { word: WORD, token: TOKEN, dotted: DOTTED }

const CREDENTIAL_MIN = 6
const SPACES_MAX = 4
/** What follows "Bearer" in prose. */
const BEARER_WORDS = new Set(
  'authentication authorization authorisation credential credentials header headers scheme schemes secret secrets tokens challenge rejected accepted expired required missing'.split(
    ' ',
  ),
)

interface Prefix extends SecretPrefix {
  readonly bytes: Buffer
}
/** By their first byte. */
const PREFIXES: readonly (readonly Prefix[] | undefined)[] = Array.from({ length: 256 }, (_, code) => {
  const found = SECRET_PREFIXES.filter(({ prefix }) => prefix.charCodeAt(0) === code)
  return found.length === 0 ? undefined : found.map((entry) => ({ ...entry, bytes: Buffer.from(entry.prefix) }))
})

/** Of two bytes, by their low six bits: whether a secret begins with them. */
const BEGINNINGS = new Uint8Array(4096)
for (const beginning of [
  'ey',
  'be',
  'Be',
  'bE',
  'BE',
  'ba',
  'Ba',
  'bA',
  'BA',
  ...SECRET_PREFIXES.map(({ prefix }) => prefix),
])
  BEGINNINGS[pairOf(beginning.charCodeAt(0), beginning.charCodeAt(1))] = 1

/** A cheap test of the first two bytes of a word. */
export function mayBeSecret(first: number, second: number): boolean {
  return BEGINNINGS[pairOf(first, second)] === 1
}

/** Where runs that were read end, so that a run of many beginnings is not read from each of them again. */
export interface ReadRuns {
  tokenEnd: number
  dottedEnd: number
  /** No JSON Web Token begins before. */
  jwtFrom: number
}

/** Looks for a key or token that begins at `at`. Returns its end. */
export function findKey(view: TextView, at: number, runs: ReadRuns): number | undefined {
  for (const { bytes, body, min, isMixed } of PREFIXES[view.bytes[at] as number] ?? []) {
    if (!startsWith(view, at, bytes)) continue
    const from = at + bytes.length
    const end = endOfBody(view, from, body, runs)
    if (end - from < min || (isMixed === true && !isMixedText(view.bytes, from, end))) continue
    return withoutDots(view.bytes, from, end)
  }
  return undefined
}

function endOfBody(view: TextView, from: number, body: SecretPrefix['body'], runs: ReadRuns): number {
  if (body === 'word') return endOfRun(view, from, WORD)
  if (body === 'dotted') {
    if (from >= runs.dottedEnd) runs.dottedEnd = endOfRun(view, from, BODIES.dotted)
    return runs.dottedEnd
  }
  if (from >= runs.tokenEnd) runs.tokenEnd = endOfRun(view, from, TOKEN)
  return runs.tokenEnd
}

/** Looks for a JSON Web Token (RFC 7519: signed 3 parts, encrypted 5) that begins at `at`. Returns its end. */
export function findJwt(view: TextView, at: number, runs: ReadRuns): number | undefined {
  if (at < runs.jwtFrom || byteAt(view, at + 1) !== 0x79 || byteAt(view, at + 2) !== 0x4a) return undefined
  const header = endOfRun(view, at, TOKEN)
  runs.jwtFrom = header
  if (header - at < 12 || byteAt(view, header) !== 0x2e) return undefined
  let end = endOfRun(view, header + 1, TOKEN)
  if (end - header < 9) return undefined
  for (let part = 3; part <= 5 && byteAt(view, end) === 0x2e && TOKEN[byteAt(view, end + 1) ?? 0] === 1; part++)
    end = endOfRun(view, end + 1, TOKEN)
  return end
}

/** Looks for what follows "Bearer" or "Basic", a word from `at` to `wordEnd`. */
export function findCredential(
  view: TextView,
  at: number,
  wordEnd: number,
): { start: number; end: number } | undefined {
  const length = wordEnd - at
  if ((length !== 5 && length !== 6) || ((view.bytes[at] as number) | 0x20) !== 0x62) return undefined
  const word = view.bytes.toString('latin1', at, wordEnd).toLowerCase()
  if (word !== 'bearer' && word !== 'basic') return undefined
  let start = wordEnd
  while (start - wordEnd < SPACES_MAX && isWhiteSpace(byteAt(view, start))) start++
  if (start === wordEnd) return undefined
  const end = endOfRun(view, start, CREDENTIAL)
  if (end - start < CREDENTIAL_MIN) return undefined
  return isProse(view.bytes, word, start, end) ? undefined : { start, end }
}

/** "Basic" is an ordinary adjective, and its credentials are base64; bearer tokens may be anything but the words that usually follow. */
function isProse(bytes: Buffer, scheme: 'bearer' | 'basic', start: number, end: number): boolean {
  if (end - start > 32) return false
  const word = bytes.toString('latin1', start, end).replace(/[.=-]$/, '')
  return scheme === 'basic' ? /^[A-Z]?[a-z]+(?:[-/][a-z]+)*$/.test(word) : BEARER_WORDS.has(word.toLowerCase())
}

const PEM_BEGIN = Buffer.from('-----BEGIN ')
/** The last letters of "PRIVATE KEY" and "PRIVATE KEY BLOCK". */
const KEY_ENDS = [0x59, 0x4b]
const PEM_BODY = byteSet(`${LETTERS_AND_DIGITS}+/=:, \t\r\n\\-`)

/** Looks for a private key in PEM form. Its end may be missing, as in lines that were cut. */
export function findPrivateKey(view: TextView, at: number): number | undefined {
  if (!startsWith(view, at, PEM_BEGIN)) return undefined
  const label = view.bytes.toString('latin1', at + PEM_BEGIN.length, Math.min(view.end, at + 64))
  const match = /^[A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----/.exec(label)
  if (match === null) return undefined
  const body = at + PEM_BEGIN.length + match[0].length
  let end = body
  let dashes = 0
  for (; end < view.end && PEM_BODY[view.bytes[end] as number] === 1; end++) {
    dashes = view.bytes[end] === 0x2d ? dashes + 1 : 0
    // Five hyphens begin the last line, the next five end it.
    if (dashes === 5 && KEY_ENDS.includes(view.bytes[end - 5] as number)) return end + 1
  }
  // A backslash may belong to the escape that follows.
  while (end > body && view.bytes[end - 1] === 0x5c) end--
  return end
}

/** Looks for the password of `scheme://user:password@host`, from the colon of the scheme on. White space, quotes and further slashes end the search. */
export function findUrlPassword(view: TextView, colon: number): { start: number; end: number } | undefined {
  if (byteAt(view, colon + 1) !== 0x2f || byteAt(view, colon + 2) !== 0x2f) return undefined
  let start = colon + 3
  while (start < view.end && USER_END[view.bytes[start] as number] === 0) start++
  if (byteAt(view, start) !== 0x3a) return undefined
  start++
  let end = start
  let at = -1
  while (end < view.end && PASSWORD_END[view.bytes[end] as number] === 0) {
    if (view.bytes[end] === 0x40) at = end
    end++
  }
  return at > start ? { start, end: at } : undefined
}
const USER_END = byteSet(' \t\r\n:/@"\\')
const PASSWORD_END = byteSet(' \t\r\n/"\\')

function startsWith(view: TextView, at: number, prefix: Buffer): boolean {
  if (at + prefix.length > view.end) return false
  for (let i = 0; i < prefix.length; i++) if (view.bytes[at + i] !== prefix[i]) return false
  return true
}

function endOfRun(view: TextView, from: number, set: Uint8Array): number {
  let end = from
  while (end < view.end && set[view.bytes[end] as number] === 1) end++
  return end
}

/** A dot at the end of a sentence is not part of a token. */
function withoutDots(bytes: Buffer, from: number, end: number): number {
  let last = end
  while (last > from && bytes[last - 1] === 0x2e) last--
  return last
}

function isMixedText(bytes: Buffer, from: number, end: number): boolean {
  let kinds = 0
  const stop = Math.min(end, from + 128)
  for (let at = from; at < stop; at++) kinds |= BYTE_KIND[bytes[at] as number] as number
  return (kinds & DIGIT) !== 0 && (kinds & UPPER) !== 0
}

/** Whether a word may begin at `at`. */
export function startsWord(view: TextView, at: number): boolean {
  const before = byteBefore(view, at)
  return before === undefined || WORD[before] === 0
}
