import { type JsonSchema, queryComponents, schemaNameOf } from './query-components.js'
import { type QueryKindName, queryKinds } from './query-kinds.js'

/**
 * How a query string carries a field of a request body: `list` is texts separated by commas, or a JSON list; `json` is JSON text;
 * `metric` is the two parameters `metric` and `property`.
 */
export type QueryStringForm = 'text' | 'number' | 'flag' | 'list' | 'json' | 'metric'

/** The form of each field of each kind, read from its schema: a new field of a usual type needs nothing here. */
export const queryStringForms = listForms()

function listForms(): Readonly<Record<QueryKindName, Readonly<Record<string, QueryStringForm>>>> {
  const formsOf = (kind: QueryKindName) => {
    const fields = Object.entries(
      queryComponents[schemaNameOf(kind, 'query')]?.properties as Record<string, JsonSchema>,
    )
    return [kind, Object.fromEntries(fields.map(([name, schema]) => [name, formOf(name, schema)]))]
  }
  return Object.fromEntries(Object.keys(queryKinds).map((kind) => formsOf(kind as QueryKindName)))
}

function formOf(name: string, { type, items }: JsonSchema): QueryStringForm {
  if (name === 'metric') return 'metric'
  if (type === 'integer') return 'number'
  if (type === 'boolean') return 'flag'
  if (type === 'array') return takesText(items as JsonSchema) ? 'list' : 'json'
  return 'text'
}

function takesText({ type, anyOf = [] }: JsonSchema): boolean {
  return type === 'string' || (anyOf as readonly JsonSchema[]).some(takesText)
}
