/** Comments, quoted names, strings and numbers, in this order: a quote inside a comment or a name must not start a string. */
const TOKENS = [
  String.raw`(?<comment>--[^\n]*|\/\*[\s\S]*?\*\/)`,
  `(?<name>"(?:[^"]|"")*")`,
  String.raw`\$(?<tag>[A-Za-z_]*)\$[\s\S]*?\$\k<tag>\$`,
  String.raw`\b[Ee]'(?:[^'\\]|''|\\[\s\S])*'`,
  String.raw`(?:\b[BbXxNn]|\b[Uu]&)?'(?:[^']|'')*'`,
  String.raw`'[\s\S]*$`,
  String.raw`(?<![\w$."])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b`,
]
const LITERALS = new RegExp(TOKENS.join('|'), 'g')

const LENGTH_MAX = 2_000

/**
 * The text for logs: literals, which may be personal data, are replaced by `?`; comments are removed, white space is folded, and at most 2,000 characters are
 * kept. A literal without an end is removed with everything after it.
 */
export function sanitiseSql(text: string): string {
  const masked = text.replace(LITERALS, (match, ...rest) => {
    const { comment, name } = rest.at(-1) as { comment?: string; name?: string }
    return name !== undefined ? match : comment !== undefined ? ' ' : '?'
  })
  const folded = masked.replace(/\s+/g, ' ').trim()
  return folded.length > LENGTH_MAX ? `${folded.slice(0, LENGTH_MAX)}…` : folded
}
