/** What a byte is in ASCII text: 0 ends a word, anything else is the byte of the word in lower case. */
const FOLDED = new Uint8Array(256)
for (let byte = 0; byte < 128; byte++) {
  const letter = String.fromCharCode(byte)
  if (/[A-Za-z0-9_]/.test(letter)) FOLDED[byte] = letter.toLowerCase().charCodeAt(0)
}
const FIRST_NOT_ASCII = 0x80
const WORDS = /[\p{L}\p{N}\p{M}_]+/gu

const HASH_START = 0x811c9dc5
const HASH_PRIME = 0x01000193

/** Takes the hash of each word of a text, in the order of words. */
export type VisitWord = (hash: number) => void

/**
 * The same text for all texts that differ only in case, by Unicode's full case folding. Composed and decomposed characters become the same, and so
 * do both forms of the small sigma, of which JavaScript chooses one by the letters around it.
 */
export function foldCase(text: string): string {
  return text.normalize('NFC').toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFC')
}

/** The words of a text, folded: runs of letters, digits, marks and underscores. */
export function wordsOf(text: string): string[] {
  return foldCase(text).match(WORDS) ?? []
}

/**
 * Calls `visit` with the hash of each word of UTF-8 bytes: the hashes of the words that `wordsOf` finds. Bytes that are not valid UTF-8 end words.
 */
export function visitWords(
  bytes: Uint8Array,
  range: { readonly start: number; readonly end: number },
  visit: VisitWord,
): void {
  if (isAscii(bytes, range)) visitAsciiWords(bytes, range, visit)
  else visitUnicodeWords(bytes, range, visit)
}

type Range = Parameters<typeof visitWords>[1]

function isAscii(bytes: Uint8Array, { start, end }: Range): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) >= FIRST_NOT_ASCII) return false
  return true
}

function visitAsciiWords(bytes: Uint8Array, { start, end }: Range, visit: VisitWord): void {
  let hash = HASH_START
  let isInWord = false
  for (let at = start; at < end; at++) {
    const folded = FOLDED[bytes[at] as number] as number
    if (folded !== 0) {
      hash = Math.imul(hash ^ folded, HASH_PRIME)
      isInWord = true
    } else if (isInWord) {
      visit(mixed(hash))
      hash = HASH_START
      isInWord = false
    }
  }
  if (isInWord) visit(mixed(hash))
}

function visitUnicodeWords(bytes: Uint8Array, { start, end }: Range, visit: VisitWord): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
  for (const word of wordsOf(text)) visit(hashWord(word))
}

/** The hash of a folded word: 32 bits, FNV-1a over its UTF-8 bytes and the last steps of MurmurHash3. */
export function hashWord(word: string): number {
  let hash = HASH_START
  for (const byte of Buffer.from(word)) hash = Math.imul(hash ^ byte, HASH_PRIME)
  return mixed(hash)
}

const HEX_DIGITS = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))

/** The hash of the word that an id is when its bytes are written in hexadecimal digits. */
export function hashId(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    hash = Math.imul(hash ^ (HEX_DIGITS[byte >> 4] as number), HASH_PRIME)
    hash = Math.imul(hash ^ (HEX_DIGITS[byte & 15] as number), HASH_PRIME)
  }
  return mixed(hash)
}

function mixed(value: number): number {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
