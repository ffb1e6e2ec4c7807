/** In this order, so that a quote inside a comment or a name opens nothing: comments, names in quotes, strings, numbers that stand alone. */
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
 * The text with every literal replaced by `?`, without comments, white space folded, cut at 2,000 characters. For logs: values may be personal
 * data. A literal that is not closed, which no statement that ran can hold, is left out with all that follows.
 */
export function sanitiseSql(text: string): string {
  const masked = text.replace(LITERALS, (match, ...rest) => {
    const { comment, name } = rest.at(-1) as { comment?: string; name?: string }
    return name !== undefined ? match : comment !== undefined ? ' ' : '?'
  })
  const folded = masked.replace(/\s+/g, ' ').trim()
  return folded.length > LENGTH_MAX ? `${folded.slice(0, LENGTH_MAX)}…` : folded
}
