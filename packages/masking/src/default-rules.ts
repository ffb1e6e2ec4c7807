import type { Finding, MaskRule } from './mask-rule.js'

/** No digit, dot or hyphen before the number, except a digit that ends a JSON escape such as \u0020. `startsWord` checks letters. */
const NUMBER_START = String.raw`(?<!(?<!\\u[0-9A-Fa-f]{3})\d|[.-])`
const NUMBER_END = String.raw`(?![\w-]|\.\d)`
const DIGITS = /\d\d/

/** Numbers are masked only in their usual notation: times, UUIDs, IP addresses and stream ids are not masked. */
export const defaultMaskRules: readonly MaskRule[] = [
  { name: 'url_password', detector: findUrlPasswords, replacement: '[masked]', needs: '://' },
  {
    name: 'email',
    // Not from inside a JSON escape on: in "\nbob@example.com" the n is not part of the address.
    detector:
      /(?<!\\|\\u[0-9A-Fa-f]{0,3})[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}/g,
    replacement: '[email]',
    needs: '@',
  },
  {
    name: 'authorization',
    detector: /(?<before>(?:Bearer|Basic)[ \t\r\n]{1,4})[A-Za-z0-9._~+/=-]{6,}/gi,
    accepts: (_match, text, start) => startsWord(text, start),
    replacement: '[masked]',
    needs: /[Bb](?:[Ee][Aa][Rr][Ee][Rr]|[Aa][Ss][Ii][Cc])/,
  },
  {
    name: 'card',
    // Bare digits must begin as card numbers do (3 to 6, or Mastercard's 2221 to 2720): times in ms and counters begin otherwise.
    detector: new RegExp(`${NUMBER_START}(?:[3-6]\\d{3}|2[2-7]\\d{2})(?:[ -]?\\d{2,7}){2,4}${NUMBER_END}`, 'g'),
    accepts: (match, text, start) => startsWord(text, start) && isCardNumber(match),
    replacement: '[card]',
    needs: DIGITS,
  },
  {
    name: 'ssn',
    detector: new RegExp(`${NUMBER_START}(?!000|666|9\\d\\d)\\d{3}([- ])(?!00)\\d{2}\\1(?!0000)\\d{4}(?![\\w-])`, 'g'),
    accepts: (_match, text, start) => startsWord(text, start),
    replacement: '[ssn]',
    needs: DIGITS,
  },
  {
    name: 'phone',
    // Only with a leading plus or with separators, so that ids and times are left alone.
    detector: new RegExp(
      `${NUMBER_START}(?:\\+\\d{1,3}[ .-]?(?:\\(\\d{1,4}\\)[ .-]?)?\\d{2,4}(?:[ .-]?\\d{2,4}){1,4}|\\(\\d{3}\\) ?\\d{3}[ .-]\\d{4}|\\d{3}([ .-])\\d{3}\\1\\d{4})${NUMBER_END}`,
      'g',
    ),
    accepts: (_match, text, start) => startsWord(text, start),
    replacement: '[phone]',
    needs: DIGITS,
  },
]

/** The password of `scheme://user:password@host`. White space, quotes and further slashes end the search. */
function* findUrlPasswords(text: string): Generator<Finding> {
  for (let at = text.indexOf('://'); at >= 0; at = text.indexOf('://', at + 3)) {
    URL_PASSWORD.lastIndex = at + 3
    const match = URL_PASSWORD.exec(text)
    if (match?.[1] === undefined || match[2] === undefined) continue
    const start = at + 3 + match[1].length
    yield { start, end: start + match[2].length }
  }
}
const URL_PASSWORD = /([^ \t\r\n:/@"\\]*:)([^ \t\r\n/@"\\]+)@/y

/** Whether a word starts at `start`. The last letter of a JSON escape such as \n is not part of a word. */
function startsWord(text: string, start: number): boolean {
  const before = text.slice(Math.max(0, start - 6), start)
  return !/\w$/.test(before) || /\\(?:[bfnrt]|u[0-9A-Fa-f]{4})$/.test(before)
}

/** 13 to 19 digits that pass the check of ISO/IEC 7812-1 annex B: double every second digit from the right; the sum of digits is a multiple of ten. */
function isCardNumber(candidate: string): boolean {
  const digits = candidate.replace(/[ -]/g, '')
  if (digits.length < 13 || digits.length > 19) return false
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48
    const doubled = digit * 2
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
