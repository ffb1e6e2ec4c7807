import { queryComponents, schemaNameOf } from '../queries/query-components.js'
import { type QueryKindName, queryKinds } from '../queries/query-kinds.js'
import { type QueryStringForm, queryStringForms } from '../queries/query-string.js'
import { inQuery, json, ok, problem, reads } from './openapi-parts.js'
import type { Node } from './openapi-schemas.js'

const FORMS: Readonly<Partial<Record<QueryStringForm, string>>> = {
  list: 'Separated by commas, or a JSON list.',
  json: 'JSON text.',
}

/** The fields of the body as parameters of a query string: metric becomes metric and property, lists become text. */
function flatParameters(kind: QueryKindName, { properties, required = [] }: Node): Node[] {
  const isRequired = (name: string) => (required as readonly string[]).includes(name)
  const parameter = (name: string, property: Node): Node[] => {
    const { description = '', ...schema } = property as { description?: string }
    const form = queryStringForms[kind][name] ?? 'text'
    if (form === 'metric') {
      const { agg, property: path } = membersOf(schema)
      const metric = inQuery('metric', 'The aggregation: metric.agg of the body.', { enum: agg?.enum })
      if (path === undefined) return [metric]
      const value = inQuery('property', 'metric.property of the body. Only with a metric that needs one.')
      return [metric, { ...value, ...(isRequired(name) && { required: true }) }]
    }
    const text = FORMS[form]
    const flat =
      text === undefined ? inQuery(name, description, schema) : inQuery(name, `${description} ${text}`.trim())
    const own = ownExampleOf(kind, name)
    const shown = own === undefined ? flat : { ...flat, schema: { type: 'string', examples: [own] } }
    return [{ ...shown, ...(isRequired(name) && { required: true }) }]
  }
  return Object.entries(properties as Record<string, Node>).flatMap(([name, property]) => parameter(name, property))
}

/** The value of a parameter whose usual example does not fit the kind; undefined for others. */
function ownExampleOf(kind: QueryKindName, name: string): string | undefined {
  if (kind === 'logins' && name === 'filters') return '[{"property":"method","op":"eq","value":"google"}]'
  const given = (queryKinds[kind].example.query as Node)[name]
  return Array.isArray(given) && given.every((item) => typeof item === 'string') ? given.join(',') : undefined
}

/** The properties of an inline or a named schema. */
function membersOf({ $ref, properties }: { $ref?: string; properties?: Node }): Record<string, Node | undefined> {
  const named = $ref === undefined ? undefined : queryComponents[$ref.replace('#/components/schemas/', '')]
  return (named?.properties ?? properties ?? {}) as Record<string, Node>
}

const sampleMeta = { source: 'raw', age_ms: 0, watermark: '2026-11-21T08:00:00.000Z', took_ms: 4.2 }

const answerHeaders: Node = {
  ETag: header(
    'Tag of data, summary and cursor. A request with it in If-None-Match is answered with 304 if nothing changed.',
  ),
  'Millrace-Meta': header(
    'The current meta as a dictionary of RFC 9651: source, age_ms, watermark, took_ms and sent_at. It is sent with 304 too, and caches that revalidate renew it, while meta in a cached body stays as it was. The time in caches (Age) adds to its age_ms.',
  ),
  'Cache-Control': header(
    'How long caches may keep the answer: one second while events with normal delay can still change it, a minute or more afterwards; no-store for POST and with fresh, min_watermark or explain.',
  ),
  'Surrogate-Key': header(
    'Only with a shared cache in front of the gateway: the keys by which it is told to drop the answer.',
  ),
  Vary: header('Authorization, Accept-Encoding'),
}

function header(description: string): Node {
  return { description, schema: { type: 'string' } }
}

const queryProblems = {
  503: problem(
    'The query cannot be answered now; Retry-After says when to try again. WATERMARK_NOT_REACHED: with strict, min_watermark was not reached in time.',
  ),
  409: problem(
    'CURSOR_OUTDATED: the groups of earlier pages are no longer the first ones. Start again without a cursor.',
  ),
  422: problem('QUERY_TOO_EXPENSIVE: details has the estimate, the budget and a suggestion.'),
  429: problem('The tenant already has the maximum number of queries waiting; Retry-After says when to try again.'),
}

/** GET and POST of each kind of query, with its example over the sample events. */
export function queryPaths(): Node {
  return Object.fromEntries(
    Object.entries(queryKinds).map(([name, { title, description, example }]) => {
      const kind = name as QueryKindName
      const { query, ...answered } = example
      const [queryName, answerName] = [schemaNameOf(kind, 'query'), schemaNameOf(kind, 'answer')]
      const answer = {
        ...ok(answerName, { ...answered, next_cursor: null, meta: sampleMeta }),
        headers: answerHeaders,
      }
      const operation = (parameters: readonly Node[]): Node => {
        const plain = reads('query', title, 'read', answer, parameters)
        const responses = {
          ...(plain.responses as Node),
          304: { description: 'The answer named by If-None-Match is still current.', headers: answerHeaders },
          ...queryProblems,
        }
        return { ...plain, description, responses }
      }
      const body = { required: true, content: json(queryName, query) }
      const parameters = flatParameters(kind, queryComponents[queryName] ?? {})
      return [`/api/v1/query/${kind}`, { get: operation(parameters), post: { ...operation([]), requestBody: body } }]
    }),
  )
}
