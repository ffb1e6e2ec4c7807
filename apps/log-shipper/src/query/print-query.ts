import type { Match, QueryNode, QueryTerm } from './query-tree.js'

/** The text of a query. Parsing it gives the same tree. */
export function printQuery(node: QueryNode): string {
  switch (node.kind) {
    case 'all':
      return '*'
    case 'and':
      return node.nodes.map((one) => printOperand(one, ['or', 'and'])).join(' ')
    case 'or':
      return node.nodes.map((one) => printOperand(one, ['or'])).join(' OR ')
    case 'not':
      return `NOT ${printOperand(node.node, ['or', 'and'])}`
    case 'term':
      return printTerm(node)
  }
}

function printOperand(node: QueryNode, inParentheses: readonly QueryNode['kind'][]): string {
  return inParentheses.includes(node.kind) ? `(${printQuery(node)})` : printQuery(node)
}

function printTerm({ field, match }: QueryTerm): string {
  if (field === undefined) return printMatch(match)
  const name = field.map((part, index) => printName(part, index === 0)).join('.')
  return match.kind === 'compare' ? `${name}${match.operator}${printText(match.value)}` : `${name}:${printMatch(match)}`
}

function printMatch(match: Match): string {
  switch (match.kind) {
    case 'words':
      return `${printText(match.text)}${match.isPrefix ? '*' : ''}`
    case 'substring':
      return `*${printText(match.text)}*`
    case 'regex':
      return `/${escapeSlashes(match.source)}/${match.ignoresCase ? 'i' : ''}`
    case 'exists':
      return '*'
    case 'compare':
      return `${match.operator}${printText(match.value)}`
  }
}

const PLAIN_TEXT = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u
const KEYWORD = /^(?:AND|OR|NOT)$/
const PLAIN_FIRST_NAME = /^[\p{L}_@$][\p{L}\p{N}_@$#/-]*$/u
const PLAIN_NAME = /^[\p{L}\p{N}_@$#/-]+$/u

function printText(text: string): string {
  return PLAIN_TEXT.test(text) && !KEYWORD.test(text) ? text : quote(text)
}

function printName(part: string, isFirst: boolean): string {
  const isPlain = isFirst ? PLAIN_FIRST_NAME.test(part) : PLAIN_NAME.test(part)
  return isPlain ? part : quote(part)
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** A slash ends the expression, so each one gets a backslash. Pairs of a backslash and a character stay as they are. */
function escapeSlashes(source: string): string {
  return source.replaceAll(/\\[\s\S]|\//g, (found) => (found === '/' ? '\\/' : found))
}
