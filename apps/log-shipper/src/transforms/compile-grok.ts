import { GROK_PATTERNS } from './grok-patterns.js'
import { PatternFault } from './user-pattern.js'

/** What becomes of the text of a group. */
export interface GrokField {
  readonly name: string
  readonly type: 'text' | 'int' | 'float'
}

/** A pattern of RE2 in which each field is a named group. */
export interface GrokPattern {
  readonly source: string
  /** By the name of the group. */
  readonly fields: ReadonlyMap<string, GrokField>
}

const REFERENCE = /%\{([^{}]*)\}/g
const PARTS = /^(\w+)(?::([\w.@-]+|\[[\w.@\][-]+\])(?::(\w+))?)?$/
const DEPTH_MAX = 20
const LENGTH_MAX = 32_768
const TYPES = { int: 'int', long: 'int', float: 'float', string: 'text' } as const

/**
 * Replaces `%{NAME}`, `%{NAME:field}` and `%{NAME:field:int}` by the expressions of their names. `[http][status]` is the field `http.status`.
 * @throws PatternFault
 */
export function compileGrok(source: string, own: Readonly<Record<string, string>>): GrokPattern {
  const fields = new Map<string, GrokField>()
  const expand = (text: string, depth: number): string => {
    let result = ''
    let end = 0
    for (const match of text.matchAll(REFERENCE)) {
      const position = depth === 0 ? match.index : undefined
      result += text.slice(end, match.index) + toGroup(match[1] as string, depth, position)
      end = match.index + match[0].length
      if (result.length > LENGTH_MAX)
        throw new PatternFault(`the pattern has more than ${LENGTH_MAX} characters with all names replaced`)
    }
    return result + text.slice(end)
  }
  const toGroup = (reference: string, depth: number, position: number | undefined): string => {
    const [, name = '', field, type] = PARTS.exec(reference) ?? []
    if (name === '')
      throw new PatternFault(
        `%{${reference.slice(0, 100)}} must be %{NAME}, %{NAME:field} or %{NAME:field:int}`,
        position,
      )
    const expression = Object.hasOwn(own, name)
      ? own[name]
      : Object.hasOwn(GROK_PATTERNS, name)
        ? GROK_PATTERNS[name]
        : undefined
    if (expression === undefined) throw new PatternFault(`there is no pattern with the name ${name}`, position)
    if (depth >= DEPTH_MAX)
      throw new PatternFault(`the pattern ${name} contains itself, or names are nested too deep`, position)
    const inner = expand(expression, depth + 1)
    if (field === undefined) return `(?:${inner})`
    if (type !== undefined && !Object.hasOwn(TYPES, type))
      throw new PatternFault(`the type ${type} is unknown; the types are ${Object.keys(TYPES).join(', ')}`, position)
    const group = `g${fields.size}`
    fields.set(group, { name: toFieldName(field), type: TYPES[(type ?? 'string') as keyof typeof TYPES] })
    return `(?P<${group}>${inner})`
  }
  return { source: expand(source, 0), fields }
}

function toFieldName(field: string): string {
  return field.startsWith('[') ? field.slice(1, -1).split('][').join('.') : field
}
