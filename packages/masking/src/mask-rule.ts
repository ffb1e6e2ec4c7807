/** A rule of one's own: a kind of data that must not be shown, and what is shown instead. Applied after the built-in rules, by a second pass. */
export interface MaskRule {
  /** Label of the rule's counter, for example `email`. */
  readonly name: string
  /**
   * A global regular expression. Every repeat is bounded (`{1,64}`, not `+`), except one at its very end: that keeps the time linear. The named groups `before` and `after` are kept; the rest of the match is replaced.
   */
  readonly detector: RegExp
  /** ASCII without quotes and backslashes, such as `[email]`, so that masked JSON stays JSON. */
  readonly replacement: string
  /** A second look at a match, such as a checksum or what stands before it in the text. Default: every match counts. */
  readonly accepts?: (match: string, text: string, start: number) => boolean
  /** A cheap test that every text with a match passes: a text it contains, or an expression without flags. Default: every text is searched. */
  readonly needs?: string | RegExp
}

/** @throws RangeError when the rule's time is not linear or its replacement could break JSON. */
export function checkRule({ name, detector, replacement, needs }: MaskRule): void {
  const problem = detector.global ? unboundedRepeat(detector.source) : 'its expression is not global'
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
  if (/[uv]/.test(detector.flags)) return false
  return [...detector.source.matchAll(TOKEN)].every(([token]) => isAsciiToken(token))
}

function isAsciiToken(token: string): boolean {
  if (token.startsWith('[')) return !token.startsWith('[^') && !/\\[DSWsupPx]|[^ -~]/.test(token)
  if (token.startsWith('\\')) return !/\\[DSWsupPx]/.test(token)
  return token !== '.' && /^[ -~]/.test(token)
}
