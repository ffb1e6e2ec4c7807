/** Kinds of bytes of a word, as bits: a word is a run of these. Bytes above 0x7f separate words; only e-mail addresses may contain them. */
export const DIGIT = 1
export const LOWER = 2
export const UPPER = 4
export const UNDERSCORE = 8
/** The lowest number that is not a byte of a word: a byte at which something to be masked may begin or end. */
export const TRIGGER = 16

/** Of each byte: the bit of its kind, `TRIGGER`, or 0 for a byte that means nothing. */
export const BYTE_KIND = new Uint8Array(256)
for (let code = 0x30; code <= 0x39; code++) BYTE_KIND[code] = DIGIT
for (let code = 0x61; code <= 0x7a; code++) BYTE_KIND[code] = LOWER
for (let code = 0x41; code <= 0x5a; code++) BYTE_KIND[code] = UPPER
BYTE_KIND[0x5f] = UNDERSCORE
for (const char of '@:=+(\\%-') BYTE_KIND[char.charCodeAt(0)] = TRIGGER

export const QUOTE = 0x22
export const APOSTROPHE = 0x27
export const BACKSLASH = 0x5c
export const COLON = 0x3a
export const EQUALS = 0x3d
export const AT_SIGN = 0x40
export const PLUS = 0x2b
export const PERCENT = 0x25
export const OPEN_PARENTHESIS = 0x28
export const CLOSE_PARENTHESIS = 0x29
export const HYPHEN = 0x2d
export const DOT = 0x2e
export const SPACE = 0x20
export const SLASH = 0x2f
export const NEWLINE = 0x0a

export function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 0x30 && code <= 0x39
}

/** `A-Z`, `a-z`. */
export function isLetter(code: number | undefined): boolean {
  return code !== undefined && (((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) as boolean)
}

/** `A-Z`, `a-z`, `0-9`, `_`. */
export function isWord(code: number | undefined): boolean {
  if (code === undefined) return false
  const kind = BYTE_KIND[code] as number
  return kind !== 0 && kind < TRIGGER
}

export function isWhiteSpace(code: number | undefined): boolean {
  return code !== undefined && (code === SPACE || (code >= 0x09 && code <= 0x0d))
}

/** Set of bytes, for tests of one byte. */
export function byteSet(characters: string): Uint8Array {
  const set = new Uint8Array(256)
  for (const char of characters) set[char.charCodeAt(0)] = 1
  return set
}

export const LETTERS_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** A number below 4096 for two bytes, in which letters, digits and `_` differ from each other. */
export function pairOf(first: number, second: number): number {
  return ((first & 63) << 6) | (second & 63)
}
