/** Strings, dollar-quoted strings, numbers that stand alone. Comments and identifiers in quotes stay. */
const LITERALS = /\$([A-Za-z_]*)\$[\s\S]*?\$\1\$|\b[EeBbXx]?'(?:[^'\\]|''|\\.)*'|(?<![\w$."])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/g

/** The text with every literal replaced by `?` and white space folded, cut at 2,000 characters. For logs: values may be personal data. */
export function sanitiseSql(text: string): string {
  const folded = text.replace(LITERALS, '?').replace(/\s+/g, ' ').trim()
  return folded.length > 2_000 ? `${folded.slice(0, 2_000)}…` : folded
}
