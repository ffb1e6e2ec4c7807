import { type JsonSchema, queryComponents, schemaNameOf } from './query-components.js'
import { type QueryKindName, queryKinds } from './query-kinds.js'

/**
 * The types of all queries and answers as TypeScript source, with the descriptions of the schemas as comments. The client package keeps the
 * result in its sources, so that it needs neither zod nor this package.
 */
export function createQueryTypes(): string {
  const requests = namesIn(kindNames.map((kind) => schemaNameOf(kind, 'query')))
  const types = Object.entries(queryComponents)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => interfaceOf(name, schema, requests.has(name)))
  return [...types, kindsType(), kindsList(), ''].join('\n\n').trimEnd().concat('\n')
}

const kindNames = Object.keys(queryKinds) as QueryKindName[]

function kindsType(): string {
  const parts = ['query', 'point', 'answer'] as const
  const rows = kindNames.map((kind) => {
    const fields = parts.map((part) => `readonly ${part}: ${schemaNameOf(kind, part)}`).join('; ')
    return `  readonly ${kind}: { ${fields} }`
  })
  return `/** Request, points and answer of each kind of query: GET or POST /api/v1/query/{kind}. */\nexport interface QueryKinds {\n${rows.join('\n')}\n}`
}

function kindsList(): string {
  const names = kindNames.map((kind) => `  '${kind}',`).join('\n')
  return `export type QueryKindName = keyof QueryKinds\n\nexport const QUERY_KINDS: readonly QueryKindName[] = [\n${names}\n]`
}

/** The schemas that these refer to, directly or through others, and these themselves. */
function namesIn(start: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>()
  const add = (name: string): void => {
    if (names.has(name)) return
    names.add(name)
    for (const [, found = ''] of JSON.stringify(queryComponents[name]).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      add(found)
  }
  start.forEach(add)
  return names
}

function interfaceOf(name: string, schema: JsonSchema, isRequest: boolean): string {
  return `${comment(schema, '')}export interface ${name} ${objectType(schema, { isRequest, indent: '' })}`
}

interface Position {
  /** Optional fields of requests may also be undefined, so that callers can pass on what they do not have. */
  readonly isRequest: boolean
  readonly indent: string
}

function objectType({ properties, required = [] }: JsonSchema, { isRequest, indent }: Position): string {
  const inner = `${indent}  `
  const fields = Object.entries(properties as Record<string, JsonSchema>).map(([name, schema]) => {
    const isOptional = !(required as readonly string[]).includes(name)
    const type = typeOf(schema, { isRequest, indent: inner })
    const mark = isOptional ? '?' : ''
    return `${comment(schema, inner)}${inner}readonly ${name}${mark}: ${type}${isOptional && isRequest && type !== 'unknown' ? ' | undefined' : ''}`
  })
  return `{\n${fields.join('\n')}\n${indent}}`
}

function typeOf(schema: JsonSchema, position: Position): string {
  const { $ref, anyOf, type, items, properties, additionalProperties } = schema
  if (typeof $ref === 'string') return $ref.replace(/.*\//, '')
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => literal(value)).join(' | ')
  if ('const' in schema) return literal(schema.const)
  if (Array.isArray(anyOf)) return anyOf.map((one) => typeOf(one as JsonSchema, position)).join(' | ')
  if (Array.isArray(type)) return type.map((one) => typeOf({ ...schema, type: one }, position)).join(' | ')
  if (type === 'array') return arrayOf(typeOf(items as JsonSchema, position))
  if (properties !== undefined) return objectType(schema, position)
  if (type === 'object') return `Readonly<Record<string, ${typeOf(additionalProperties as JsonSchema, position)}>>`
  if (type === 'integer') return 'number'
  if (type === 'string' || type === 'number' || type === 'boolean' || type === 'null') return type
  if (type === undefined) return 'unknown'
  throw new Error(`no TypeScript type for the schema ${JSON.stringify(schema)}`)
}

function arrayOf(item: string): string {
  return item.includes(' | ') ? `readonly (${item})[]` : `readonly ${item}[]`
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}

const LINE_MAX = 110

function comment({ description }: JsonSchema, indent: string): string {
  if (typeof description !== 'string') return ''
  const lines = wrap(description, LINE_MAX - indent.length)
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`), `${indent} */`, ''].join('\n')
}

function wrap(text: string, lengthMax: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > lengthMax) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
