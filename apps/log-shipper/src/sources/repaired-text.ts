import { isUtf8 } from 'node:buffer'

const REPLACEMENT = '\u{fffd}'

/** Text in which invalid UTF-8 was replaced by U+FFFD, and whether that happened. */
export interface RepairedText {
  readonly text: string
  readonly isRepaired: boolean
}

/** Decodes UTF-8. Each invalid sequence becomes U+FFFD, as the encoding standard of the web says. */
export function decodeText(bytes: Buffer, start = 0, end = bytes.length): RepairedText {
  const text = bytes.toString('utf8', start, end)
  // A valid text may contain U+FFFD as well, so only the bytes decide.
  return { text, isRepaired: text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end)) }
}

/** Whether a decoded value contains U+FFFD in a name or a text. `value` is a tree of bounded depth. */
export function containsReplacement(value: unknown): boolean {
  if (typeof value === 'string') return value.includes(REPLACEMENT)
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(containsReplacement)
  return Object.entries(value).some(([name, item]) => name.includes(REPLACEMENT) || containsReplacement(item))
}
