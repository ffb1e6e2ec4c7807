import { AT_SIGN, BACKSLASH, byteSet, DOT, isLetter, isWord, LETTERS_AND_DIGITS } from './byte-table.js'
import { byteAt, type TextView } from './text-view.js'

/** Bytes of the part before the sign, without those above 0x7f. */
const LOCAL = byteSet(`${LETTERS_AND_DIGITS}._%+'-`)
const DOMAIN = byteSet(`${LETTERS_AND_DIGITS}-`)

/** What file names, systemd units and packages end in, but no domain does: `logo@2x.png`. */
const FILE_ENDINGS = new Set(
  (
    'png jpg jpeg gif webp avif svg ico bmp tif tiff css scss less js mjs cjs jsx tsx json html htm xml yaml yml toml ini conf cfg txt log csv tsv pdf ' +
    'woff woff2 ttf otf eot wasm gz tgz tar bz2 xz jar war exe dll lock proto sql service socket timer slice scope mount device swap patch diff orig bak tmp'
  ).split(' '),
)
const LABEL_MAX = 63
const TOP_LEVEL_MAX = 24

/** From where to where an address goes. */
interface FoundEmail {
  readonly start: number
  readonly end: number
}

/** Looks for an e-mail address around the sign at `at`, which is `@` or, in URLs, `%40`. */
export function findEmail(view: TextView, at: number): FoundEmail | undefined {
  const isEncoded = view.bytes[at] !== AT_SIGN
  let start = startOfLocal(view, at, isEncoded)
  if (start === at) return undefined
  const domain = at + (isEncoded ? 3 : 1)
  let end = endOfDomain(view, domain)
  if (end === undefined) return undefined
  if (hasNonAscii(view.bytes, start, at)) start = startOfUnicodeLocal(view.bytes, start, at)
  if (hasNonAscii(view.bytes, domain, end)) end = endOfUnicodeDomain(view.bytes, domain, end)
  if (start === at || end === undefined || isGitUser(view.bytes, start, at)) return undefined
  return { start, end }
}

/** Ends before another `%40` as well: otherwise many of them would be read again and again. */
function startOfLocal(view: TextView, at: number, isEncoded: boolean): number {
  const stop = Math.max(view.start, view.done)
  let start = at
  while (start > stop) {
    const code = view.bytes[start - 1] as number
    if ((LOCAL[code] === 0 && code < 0x80) || (isEncoded && code === 0x25)) break
    start--
  }
  // In "\nbob@example.com" the n is not part of the address, nor is u000a.
  if (start > stop && view.bytes[start - 1] === BACKSLASH) {
    const isUnicode = view.bytes[start] === 0x75 && at - start >= 5
    start += isUnicode ? 5 : 1
  }
  return Math.min(start, at)
}

/** The end of the last top-level domain that the labels from `domain` on may end in. */
function endOfDomain(view: TextView, domain: number): number | undefined {
  let found: number | undefined
  for (let label = domain; ; ) {
    let at = label
    let letters = label
    for (; at < view.end; at++) {
      const code = view.bytes[at] as number
      if (DOMAIN[code] === 0 && code < 0x80) break
      if (letters === at && (code >= 0x80 || isLetter(code))) letters++
    }
    if (at === label || at - label > LABEL_MAX * 4) return found
    if (label > domain) found = endOfTopLevel(view, label, letters, at) ?? found
    if (byteAt(view, at) !== DOT) return found
    label = at + 1
  }
}

function endOfTopLevel({ bytes }: TextView, label: number, letters: number, end: number): number | undefined {
  if (end - label > 4 && bytes.toString('latin1', label, label + 4).toLowerCase() === 'xn--') return end
  const length = letters - label
  if (length < 2 || length > TOP_LEVEL_MAX * 4) return undefined
  if (letters === end && FILE_ENDINGS.has(bytes.toString('latin1', label, end).toLowerCase())) return undefined
  return letters
}

/** `git@github.com:owner/name.git` names a repository. */
function isGitUser(bytes: Buffer, start: number, at: number): boolean {
  return at - start === 3 && bytes[start] === 0x67 && bytes[start + 1] === 0x69 && bytes[start + 2] === 0x74
}

function hasNonAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) >= 0x80) return true
  return false
}

/** Letters of every script belong to an address; other characters beyond ASCII, such as quotation marks, do not. */
function startOfUnicodeLocal(bytes: Buffer, start: number, at: number): number {
  const text = bytes.toString('utf8', start, at)
  let from = text.length
  while (from > 0 && UNICODE_LOCAL.test(lastCharacter(text, from))) from -= lastCharacter(text, from).length
  return at - Buffer.byteLength(text.slice(from))
}
const UNICODE_LOCAL = /^[\p{L}\p{M}\p{N}._%+'-]$/u

/** The last character before `end`, a pair of surrogates as one. */
function lastCharacter(text: string, end: number): string {
  const code = text.charCodeAt(end - 1)
  return text.slice(code >= 0xdc00 && code <= 0xdfff ? Math.max(0, end - 2) : end - 1, end)
}

/** The same as `endOfDomain` by characters: letters of every script may be a top-level domain, other characters end it. */
function endOfUnicodeDomain(bytes: Buffer, domain: number, end: number): number | undefined {
  const [domains = ''] = UNICODE_LABELS.exec(bytes.toString('utf8', domain, end)) ?? []
  let found: number | undefined
  for (let dot = domains.indexOf('.'); dot >= 0; ) {
    const next = domains.indexOf('.', dot + 1)
    const label = domains.slice(dot + 1, next < 0 ? undefined : next)
    const [topLevel = ''] = UNICODE_TOP_LEVEL.exec(label) ?? []
    if (topLevel !== '' && !(topLevel === label && FILE_ENDINGS.has(label.toLowerCase())))
      found = dot + 1 + topLevel.length
    dot = next
  }
  return found === undefined ? undefined : domain + Buffer.byteLength(domains.slice(0, found))
}
const UNICODE_LABELS = /^[\p{L}\p{M}\p{N}-]+(?:\.[\p{L}\p{M}\p{N}-]+)*/u
const UNICODE_TOP_LEVEL = /^(?:xn--[a-z0-9-]+|[\p{L}\p{M}]{2,24}(?![\p{L}\p{M}]))/iu

/** Whether `%40` stands at `at`. */
export function isEncodedAtSign(view: TextView, at: number): boolean {
  return byteAt(view, at + 1) === 0x34 && byteAt(view, at + 2) === 0x30 && isWord(byteAt(view, at + 3))
}
