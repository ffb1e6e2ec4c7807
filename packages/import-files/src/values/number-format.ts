/** `point`: 1,234.56. `comma`: 1.234,56. Groups of digits may also be separated by spaces, no-break spaces and apostrophes in both. */
export type DecimalMark = 'point' | 'comma'

const GROUP = "[ '\\u{2019}\\u{a0}\\u{202f}]"
const grammar = (group: string, mark: string): RegExp =>
  new RegExp(
    `^([+-]?)(\\d+|\\d{1,3}(?:(${group}|${GROUP})\\d{2,3}(?:\\3\\d{2,3})*)?)(?:${mark}(\\d+))?(?:[eE]([+-]?\\d{1,4}))?$`,
    'u',
  )

const GRAMMARS: Readonly<Record<DecimalMark, RegExp>> = { point: grammar(',', '\\.'), comma: grammar('\\.', ',') }
const GROUPS_OF_THREE = /^\d{1,3}(?:\D\d{3})+$|^\d{1,2}(?:\D\d{2})*\D\d{3}$|^\d+$/

/**
 * The number as JSON and PostgreSQL write it, with all of its digits; undefined if the text is no number in this format. Groups have three digits, or two
 * before the last three as in India. A number that begins with a zero before other digits is a code, not a number.
 */
export function parseNumber(text: string, mark: DecimalMark): string | undefined {
  const match = GRAMMARS[mark].exec(text.trim())
  if (match === null) return undefined
  const [, sign, whole = '', , fraction, exponent] = match
  if (!GROUPS_OF_THREE.test(whole)) return undefined
  const digits = whole.replaceAll(/\D/g, '')
  if (digits.length > 1 && digits.startsWith('0')) return undefined
  return `${sign === '-' ? '-' : ''}${digits}${fraction === undefined ? '' : `.${fraction}`}${exponent === undefined ? '' : `e${Number(exponent)}`}`
}
