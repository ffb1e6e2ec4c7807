/** Whether the text stands at this place. */
export function standsAt(bytes: Buffer, at: number, text: Uint8Array): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text[index]) return false
  return true
}

/** What ends a run of plain characters in a JSON string. */
const STOPS = new Uint8Array(256)
for (let code = 0; code < 0x20; code++) STOPS[code] = 1
STOPS[0x22] = 1
STOPS[0x5c] = 1
/** Escapes of two characters that JSON.stringify writes as well. */
const SIMPLE_ESCAPES = new Uint8Array(256)
for (const letter of '"\\bfnrt') SIMPLE_ESCAPES[letter.charCodeAt(0)] = 1

/** Whether the string that `stringEnd` went through last has escapes. */
export let hasEscapes = false

/** Where the closing quote of the JSON string is that begins before `at`; -1 for a string with other escapes than those of two characters, or no string. */
export function stringEnd(bytes: Buffer, from: number): number {
  let at = from
  hasEscapes = false
  while (at < bytes.length) {
    const code = bytes[at] as number
    if (STOPS[code] === 0) {
      at++
      continue
    }
    if (code === 0x22) return at
    if (code !== 0x5c || SIMPLE_ESCAPES[bytes[at + 1] ?? 0] === 0) return -1
    hasEscapes = true
    at += 2
  }
  return -1
}

/** Where the JSON object that begins at `from` ends: behind its last brace. -1 when it does not end. Its content is not checked. */
export function objectEnd(bytes: Buffer, from: number): number {
  let depth = 0
  let isInString = false
  for (let at = from; at < bytes.length; at++) {
    const code = bytes[at]
    if (isInString) {
      if (code === 0x5c) at++
      else if (code === 0x22) isInString = false
    } else if (code === 0x22) isInString = true
    else if (code === 0x7b || code === 0x5b) depth++
    else if ((code === 0x7d || code === 0x5d) && --depth === 0) return at + 1
  }
  return -1
}

/** Digits of a number that is read and written back without any change, by a double. */
const DIGITS_MAX = 12

/**
 * Where the JSON number at `from` ends, if it is one that JSON.stringify writes in the same form and that is too short for a card number: up to 12 digits,
 * no exponent. -1 for all others.
 */
export function plainNumberEnd(bytes: Buffer, from: number): number {
  const start = bytes[from] === 0x2d ? from + 1 : from
  let at = start
  while (isDigit(bytes[at])) at++
  const whole = at - start
  if (whole === 0 || whole > DIGITS_MAX || (whole > 1 && bytes[start] === 0x30)) return -1
  if (bytes[at] !== 0x2e) return isEnd(bytes[at]) && !(start > from && bytes[start] === 0x30) ? at : -1
  const point = at++
  while (isDigit(bytes[at])) at++
  const digits = whole + at - point - 1
  // A number below a millionth is written with an exponent, and zeros at the end are not written.
  if (at === point + 1 || digits > DIGITS_MAX || bytes[at - 1] === 0x30 || !isEnd(bytes[at])) return -1
  if (bytes[start] === 0x30 && standsAt(bytes, point + 1, FIVE_ZEROS)) return -1
  return at
}

const FIVE_ZEROS = Buffer.from('00000')

/** Whether this is no part of a number. */
function isEnd(code: number | undefined): boolean {
  return code === 0x7d || code === 0x2c || code === 0x22 || code === 0x5d
}

export function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 0x30 && code <= 0x39
}

/** The value of the decimal digits from `start` to `end`. */
export function numberAt(bytes: Buffer, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) value = value * 10 + (bytes[at] as number) - 0x30
  return value
}

const NO_DIGIT = 255
const HEX = new Uint8Array(256).fill(NO_DIGIT)
for (let value = 0; value < 16; value++) {
  HEX[value.toString(16).charCodeAt(0)] = value
  HEX[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/** What `readHex` found. */
export const HEX_INVALID = 0
export const HEX_ZERO = 1
export const HEX_ID = 2

/** Reads hexadecimal digits in either case into all bytes of `into`. */
export function readHex(bytes: Buffer, from: number, into: Buffer): number {
  let sum = 0
  for (let index = 0, at = from; index < into.length; index++, at += 2) {
    const high = HEX[bytes[at] ?? 0] as number
    const low = HEX[bytes[at + 1] ?? 0] as number
    if (high === NO_DIGIT || low === NO_DIGIT) return HEX_INVALID
    const byte = (high << 4) | low
    into[index] = byte
    sum |= byte
  }
  return sum === 0 ? HEX_ZERO : HEX_ID
}
