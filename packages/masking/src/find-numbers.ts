import { CLOSE_PARENTHESIS, DOT, HYPHEN, isDigit, isWord, OPEN_PARENTHESIS, SLASH, SPACE } from './byte-table.js'
import { isCardNumber, isCardPrefix } from './card-numbers.js'
import { byteAt, byteBefore, type TextView } from './text-view.js'

/** Which of the number rules are on. */
export interface NumberRules {
  readonly card: boolean
  readonly ssn: boolean
  readonly phone: boolean
}

/** A number that was found, from where the search began to `end`. */
export interface FoundNumber {
  readonly rule: 'card' | 'ssn' | 'phone'
  readonly end: number
}

const CARD_DIGITS_MIN = 13
const CARD_DIGITS_MAX = 19
const GROUPS_MAX = 8
const PHONE_DIGITS_MIN = 7
const PHONE_DIGITS_MAX = 15

/** Digits in groups, such as `4111 1111 1111 1111`. One object is used again and again, because numbers are frequent and mostly harmless. */
const digits = new Uint8Array(CARD_DIGITS_MAX + 1)
const groupDigits = new Uint8Array(GROUPS_MAX)
const groupEnds = new Int32Array(GROUPS_MAX)
/** The byte in front of each group but the first. */
const separators = new Uint8Array(GROUPS_MAX)

/** Looks for a card number, a social security number or a telephone number that begins with the digits from `at` to `end`. */
export function findNumber(view: TextView, at: number, end: number, rules: NumberRules): FoundNumber | undefined {
  const length = end - at
  const { bytes } = view
  if (length > CARD_DIGITS_MAX) return undefined
  if (length < CARD_DIGITS_MIN) {
    // Shorter numbers need more groups; of 3 digits a social security or telephone number, of 1 a country code, of 4 and more a card number.
    if (length === 2 || !isNumberSeparator(byteAt(view, end)) || !isDigit(byteAt(view, end + 1))) return undefined
    if (length === 1 && bytes[at] !== 0x31) return undefined
  }
  const before = byteBefore(view, at)
  if (before === DOT || before === HYPHEN) return undefined
  if (length >= 4) {
    if (!rules.card || !isCardPrefix(prefixAt(bytes, at))) return undefined
    const cardEnd = findCard(view, readGroups(view, at))
    return cardEnd === undefined ? undefined : { rule: 'card', end: cardEnd }
  }
  const groups = readGroups(view, at)
  if (length === 3 && rules.ssn && isSsn(groups) && endsNumber(view, groupEnds[2] as number))
    return { rule: 'ssn', end: groupEnds[2] as number }
  if (!rules.phone) return undefined
  const first = length === 1 ? 1 : 0
  if (!isDomesticPhone(first, groups)) return undefined
  const phoneEnd = groupEnds[first + 2] as number
  return endsNumber(view, phoneEnd) ? { rule: 'phone', end: phoneEnd } : undefined
}

/** Looks for `+49 30 1234567` from its plus sign on: 7 to 15 digits (ITU-T E.164) in groups. Returns its end. */
export function findInternationalPhone(view: TextView, at: number): number | undefined {
  const first = byteAt(view, at + 1)
  // No country code begins with 0, but offsets of time zones do.
  if (!isDigit(first) || first === 0x30 || !startsNumber(view, at)) return undefined
  let end: number | undefined
  let count = 0
  let groups = 0
  for (let from = at + 1; groups < GROUPS_MAX; groups++) {
    const isInParentheses = byteAt(view, from) === OPEN_PARENTHESIS
    const start = isInParentheses ? from + 1 : from
    let to = start
    while (isDigit(byteAt(view, to)) && to - start <= PHONE_DIGITS_MAX) to++
    // Of the later groups only the area code may have one digit, so that "+49 30 1234567 2 times" ends before the 2.
    if (to === start || (to - start === 1 && groups > 1 && !isInParentheses)) break
    count += to - start
    if (count > PHONE_DIGITS_MAX) break
    if (isInParentheses) {
      if (byteAt(view, to) !== CLOSE_PARENTHESIS) break
      to++
    }
    if (count >= PHONE_DIGITS_MIN && endsNumber(view, to)) end = to
    const next = byteAt(view, to)
    from = next === OPEN_PARENTHESIS || isDigit(next) || !isPhoneSeparator(next) ? to : to + 1
    if (from === to && next !== OPEN_PARENTHESIS && !isDigit(next)) break
  }
  return end
}

/** Looks for `(415) 555-2671` from its parenthesis on. Returns its end. */
export function findPhoneInParentheses(view: TextView, at: number): number | undefined {
  if (!isDigits(view, at + 1, 3) || byteAt(view, at + 4) !== CLOSE_PARENTHESIS || !startsNumber(view, at))
    return undefined
  const exchange = at + 5 + (isNumberSeparator(byteAt(view, at + 5)) ? 1 : 0)
  if (!isDigits(view, exchange, 3)) return undefined
  const line = exchange + 3 + (isNumberSeparator(byteAt(view, exchange + 3)) ? 1 : 0)
  return isDigits(view, line, 4) && endsNumber(view, line + 4) ? line + 4 : undefined
}

/** Fills the groups from the digits at `at` on and returns their number. Stops behind 19 digits. */
function readGroups(view: TextView, at: number): number {
  let groups = 0
  let count = 0
  for (let from = at; groups < GROUPS_MAX; from++) {
    const start = from
    while (isDigit(byteAt(view, from))) {
      if (count === CARD_DIGITS_MAX) return groups
      digits[count++] = (view.bytes[from++] as number) - 0x30
    }
    groupDigits[groups] = from - start
    groupEnds[groups] = from
    if (start > at) separators[groups] = view.bytes[start - 1] as number
    groups++
    if (!isNumberSeparator(byteAt(view, from)) || !isDigit(byteAt(view, from + 1))) break
  }
  return groups
}

/** The end of the longest card number that the first groups form. */
function findCard(view: TextView, groups: number): number | undefined {
  let count = 0
  for (let group = 0; group < groups; group++) count += groupDigits[group] as number
  for (let group = groups - 1; group >= 0; group--) {
    const end = groupEnds[group] as number
    if (count < CARD_DIGITS_MIN) return undefined
    if (isCardLayout(group) && isCardNumber(digits, count) && endsNumber(view, end)) return end
    count -= groupDigits[group] as number
  }
  return undefined
}

/** Groups of at least two digits, separated by spaces or hyphens; or four groups of four digits with dots. */
function isCardLayout(last: number): boolean {
  let dots = 0
  for (let group = 1; group <= last; group++) {
    if (separators[group] === DOT) dots++
    if ((groupDigits[group] as number) < 2 && group < last) return false
  }
  if (dots === 0) return true
  return last === 3 && dots === 3 && groupDigits.subarray(0, 4).every((count) => count === 4)
}

/** `078-05-1120` or with spaces, in a range that is issued. */
function isSsn(groups: number): boolean {
  if (groups < 3 || groupDigits[1] !== 2 || groupDigits[2] !== 4) return false
  if (separators[1] === DOT || separators[1] !== separators[2]) return false
  const area = numberOf(0, 3)
  return area !== 0 && area !== 666 && area < 900 && numberOf(3, 2) !== 0 && numberOf(5, 4) !== 0
}

/** `415-555-2671`, or with spaces or dots when both parts begin as North American ones do. */
function isDomesticPhone(first: number, groups: number): boolean {
  if (groups < first + 3) return false
  if (groupDigits[first] !== 3 || groupDigits[first + 1] !== 3 || groupDigits[first + 2] !== 4) return false
  if (separators[first + 1] !== separators[first + 2]) return false
  const isNorthAmerican = (digits[first] as number) >= 2 && (digits[first + 3] as number) >= 2
  return isNorthAmerican || (first === 0 && separators[1] === HYPHEN)
}

function numberOf(from: number, count: number): number {
  let value = 0
  for (let i = from; i < from + count; i++) value = value * 10 + (digits[i] as number)
  return value
}

function prefixAt(bytes: Buffer, at: number): number {
  let value = 0
  for (let i = at; i < at + 4; i++) value = value * 10 + (bytes[i] as number) - 0x30
  return value
}

/** Whether a number may begin at `at`: not inside a word, a decimal or a longer number. */
function startsNumber(view: TextView, at: number): boolean {
  const before = byteBefore(view, at)
  return !isWord(before) && before !== DOT && before !== HYPHEN
}

/** Whether a number may end before `at`: no word, decimal or hyphenated id goes on there. */
function endsNumber(view: TextView, at: number): boolean {
  const next = byteAt(view, at)
  if (next === undefined) return true
  if (isWord(next)) return false
  if (next === HYPHEN) return !isWord(byteAt(view, at + 1))
  return next !== DOT || !isDigit(byteAt(view, at + 1))
}

function isDigits(view: TextView, at: number, count: number): boolean {
  for (let i = at; i < at + count; i++) if (!isDigit(byteAt(view, i))) return false
  return true
}

function isNumberSeparator(code: number | undefined): boolean {
  return code === SPACE || code === HYPHEN || code === DOT
}

function isPhoneSeparator(code: number | undefined): boolean {
  return isNumberSeparator(code) || code === SLASH
}
