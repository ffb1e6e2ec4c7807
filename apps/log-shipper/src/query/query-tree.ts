/** A condition on log lines. Trees are plain data: `parseQuery` makes them, `printQuery` writes them, `compileQuery` makes a predicate of them. */
export type QueryNode =
  | { readonly kind: 'all' }
  | { readonly kind: 'and' | 'or'; readonly nodes: readonly QueryNode[] }
  | { readonly kind: 'not'; readonly node: QueryNode }
  | QueryTerm

/** A condition on one field, or on all texts of a line. */
export interface QueryTerm {
  readonly kind: 'term'
  /** The parts of a dotted name; undefined: the message and all values of attributes. */
  readonly field: readonly string[] | undefined
  readonly match: Match
}

/** What the texts of a term must be like. */
export type Match =
  /** All words of the text, one directly after the other; with `isPrefix` the last one may be longer. */
  | { readonly kind: 'words'; readonly text: string; readonly isPrefix: boolean }
  | { readonly kind: 'substring'; readonly text: string }
  | { readonly kind: 'regex'; readonly source: string; readonly ignoresCase: boolean }
  | { readonly kind: 'exists' }
  | { readonly kind: 'compare'; readonly operator: Operator; readonly value: string }

export type Operator = '=' | '<' | '<=' | '>' | '>='

/** Fields that every line has. Any other name is the path of an attribute. */
export const LINE_FIELDS = [
  'level',
  'severity',
  'severity_text',
  'service',
  'host',
  'trace_id',
  'span_id',
  'message',
  'flags',
] as const
export type LineField = (typeof LINE_FIELDS)[number]

const ALIASES: Readonly<Record<string, LineField>> = { trace: 'trace_id', span: 'span_id' }
const ATTRIBUTES = 'attributes'

/** What a dotted name means: a field of the line, or the path of an attribute. `attributes.host` is the attribute `host`. */
export type FieldTarget =
  | { readonly kind: 'line'; readonly name: LineField }
  | { readonly kind: 'attribute'; readonly path: readonly string[] }

export function resolveField(field: readonly string[]): FieldTarget {
  const [first = ''] = field
  if (field.length === 1) {
    const name =
      LINE_FIELDS.find((one) => one === first) ?? (Object.hasOwn(ALIASES, first) ? ALIASES[first] : undefined)
    if (name !== undefined) return { kind: 'line', name }
  }
  return { kind: 'attribute', path: first === ATTRIBUTES && field.length > 1 ? field.slice(1) : field }
}
