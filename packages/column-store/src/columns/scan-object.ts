import type { GrowingBytes } from '../bytes/growing-bytes.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const [OPEN_OBJECT, CLOSE_OBJECT] = [0x7b, 0x7d]
const [OPEN_LIST, CLOSE_LIST] = [0x5b, 0x5d]
const NONE = -1
/** Objects with more keys are kept as whole texts. */
const KEYS_MAX = 256

interface Range {
  readonly start: number
  readonly end: number
}

interface Found {
  /** Takes the keys with their quotes, one behind the other. */
  readonly shape: GrowingBytes
  /** Take where each value begins and ends. */
  readonly starts: number[]
  readonly ends: number[]
}

/**
 * Finds the keys and values of a JSON object that has no white space around its keys, colons and commas. Returns false for everything else; what it
 * has found until then is of no use. It does not check that values are valid, only where they end.
 */
export function scanObject(bytes: Uint8Array, { start, end }: Range, found: Found): boolean {
  if (bytes[start] !== OPEN_OBJECT || end - start < 2) return false
  let at = start + 1
  if (bytes[at] === CLOSE_OBJECT) return at + 1 === end
  for (let keys = 0; keys < KEYS_MAX; keys++) {
    const keyEnd = endOfString(bytes, at, end)
    if (keyEnd === NONE || bytes[keyEnd] !== COLON) return false
    const valueEnd = endOfValue(bytes, keyEnd + 1, end)
    if (valueEnd === NONE || valueEnd >= end) return false
    found.shape.append(bytes, at, keyEnd)
    found.starts.push(keyEnd + 1)
    found.ends.push(valueEnd)
    if (bytes[valueEnd] === CLOSE_OBJECT) return valueEnd + 1 === end
    if (bytes[valueEnd] !== COMMA) return false
    at = valueEnd + 1
  }
  return false
}

/** The place behind the string that begins at `at`. */
function endOfString(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== QUOTE) return NONE
  for (let place = at + 1; place < end; place++) {
    if (bytes[place] === QUOTE) return place + 1
    if (bytes[place] === BACKSLASH) place++
  }
  return NONE
}

/** The place behind the value that begins at `at`: a string, a list or an object by its brackets, or everything up to a comma or bracket. */
function endOfValue(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === QUOTE) return endOfString(bytes, at, end)
  let depth = 0
  for (let place = at; place < end; place++) {
    const byte = bytes[place]
    if (byte === QUOTE) {
      place = endOfString(bytes, place, end) - 1
      if (place < at) return NONE
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth++
    else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      if (depth === 0) return place === at ? NONE : place
      if (--depth === 0) return place + 1
    } else if (byte === COMMA && depth === 0) return place === at ? NONE : place
  }
  return NONE
}
