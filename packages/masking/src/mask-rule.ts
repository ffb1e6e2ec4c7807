/** One kind of data that must not be shown, and what is shown instead. */
export interface MaskRule {
  /** Label of the rule's counter, for example `email`. */
  readonly name: string
  /**
   * A global regular expression, or a finder. In an expression every repeat is bounded (`{1,64}`, not `+`), except one at its very end: that keeps
   * the time linear. The named groups `before` and `after` are kept; the rest of the match is replaced.
   */
  readonly detector: RegExp | Finder
  /** ASCII without quotes and backslashes, such as `[email]`, so that masked JSON stays JSON. */
  readonly replacement: string
  /** A second look at a match, such as a checksum or what stands before it in the text. Default: every match counts. */
  readonly accepts?: (match: string, text: string, start: number) => boolean
  /** A cheap test that every text with a match passes: a text it contains, or an expression without flags. Default: every text is searched. */
  readonly needs?: string | RegExp
}

/** A part of a text, to be replaced by `text`. */
export interface Finding {
  readonly start: number
  readonly end: number
  /** Default: the rule's replacement. */
  readonly text?: string
}

/**
 * Finds all matches, in ascending order and without overlap, and reads each character a bounded number of times. It must treat all characters from
 * U+0080 alike: UTF-8 bytes are handed to it one byte a character.
 */
export type Finder = (text: string) => Iterable<Finding>

/** @throws RangeError when the rule's time is not linear or its replacement could break JSON. */
export function checkRule({ name, detector, replacement, needs }: MaskRule): void {
  const problem =
    typeof detector === 'function'
      ? undefined
      : detector.global
        ? unboundedRepeat(detector.source)
        : 'its expression is not global'
  if (problem !== undefined) throw new RangeError(`mask rule ${name}: ${problem}`)
  if (needs instanceof RegExp && needs.flags !== '')
    throw new RangeError(`mask rule ${name}: the expression of what it needs must have no flags`)
  if (!/^[ !#-[\]-~]*$/.test(replacement))
    throw new RangeError(`mask rule ${name}: its replacement must be ASCII without quotes and backslashes`)
}

/** Tokens of an expression: an escape, a class, a repeat, or any other character. */
const TOKEN = /\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|[*+]|\{\d+(?:,\d*)?\}|[\s\S]/g

function unboundedRepeat(source: string): string | undefined {
  for (const { 0: token, index } of source.matchAll(TOKEN)) {
    const isUnbounded = token === '*' || token === '+' || /^\{\d+,\}$/.test(token)
    const isLast = index + token.length === source.length && source[index - 1] !== ')'
    if (isUnbounded && !isLast) return `the repeat ${token} at character ${index} has no bound`
  }
  return undefined
}

/**
 * Whether the rule finds the same in UTF-8 bytes read one byte a character as in the decoded text: its expression names only ASCII characters, so
 * a match neither begins nor ends inside a character.
 */
export function readsBytes({ detector }: MaskRule): boolean {
  if (typeof detector === 'function') return true
  if (/[uv]/.test(detector.flags)) return false
  return [...detector.source.matchAll(TOKEN)].every(([token]) => isAsciiToken(token))
}

function isAsciiToken(token: string): boolean {
  if (token.startsWith('[')) return !token.startsWith('[^') && !/\\[DSWsupPx]|[^ -~]/.test(token)
  if (token.startsWith('\\')) return !/\\[DSWsupPx]/.test(token)
  return token !== '.' && /^[ -~]/.test(token)
}
