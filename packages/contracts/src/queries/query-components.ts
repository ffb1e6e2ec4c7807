import { z } from 'zod'
import { answerSchema } from './answer-fields.js'
import { type QueryKindName, queryKinds } from './query-kinds.js'
import { named, schemaNames } from './schema-names.js'

/** A JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** The word with its first letter in upper case. */
export const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

/** Names of the schemas of a kind, such as FunnelQuery, FunnelPoint, FunnelSummary and FunnelAnswer. */
export function schemaNameOf(kind: QueryKindName, part: 'query' | 'point' | 'summary' | 'answer'): string {
  return `${capital(kind)}${capital(part)}`
}

for (const [name, { title, description, request, point, summary }] of Object.entries(queryKinds)) {
  const kind = name as QueryKindName
  named(schemaNameOf(kind, 'query'), `${title}. ${description}`, request)
  named(schemaNameOf(kind, 'answer'), `The answer to a ${kind} query.`, answerSchema(point, summary))
  schemaNames.add(point, { id: schemaNameOf(kind, 'point') })
  if (summary !== undefined) schemaNames.add(summary, { id: schemaNameOf(kind, 'summary') })
}

/** The JSON Schemas of all requests and answers by name, made from the schemas that validate requests. */
export const queryComponents: Readonly<Record<string, JsonSchema>> = listComponents()

function listComponents(): Readonly<Record<string, JsonSchema>> {
  const { schemas } = z.toJSONSchema(schemaNames, { io: 'input', uri: (id) => `#/components/schemas/${id}` })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _schema, $id: _id, ...schema }]) => [name, schema]),
  )
}
