import { QUERY_LIMITS } from '../queries/query-limits.js'
import { type Node, ref } from './openapi-schemas.js'

/** The content of a JSON body with the named schema. */
export const json = (name: string, example?: unknown): Node => ({
  'application/json': { schema: ref(name), ...(example === undefined ? {} : { example }) },
})
/** A response with a problem document. */
export const problem = (description: string): Node => ({
  description,
  content: { 'application/problem+json': { schema: ref('Problem') } },
})
/** A successful response with the named schema. */
export const ok = (name: string, example?: unknown): Node => ({
  description: 'The answer.',
  content: json(name, example),
})
/** A required parameter of the path. */
export const inPath = (name: string): Node => ({ name, in: 'path', required: true, schema: { type: 'string' } })
/** Values of parameters, by name. A cursor has none, because it is valid for one list alone. */
const parameterExamples: Node = {
  event: 'Product Viewed',
  return_event: 'Order Completed',
  steps: 'Product Viewed,Order Completed',
  property: 'properties.revenue',
  group_by: 'properties.category',
  filters: '[{"property":"properties.category","op":"eq","value":"books"}]',
  window: '30m',
  periods: 7,
  from: '2026-11-19T00:00:00Z',
  to: '2026-11-20T00:00:00Z',
  since: '2026-11-19T00:00:00Z',
  timezone: 'Europe/Berlin',
  min_watermark: '2026-11-19T00:00:00Z',
  wait: '2s',
  limit: 10,
  user_id: 'u1',
  message_id: 'm-42',
  session_id: 'visit-7',
  device: 'desktop',
  browser: 'Firefox',
  os: 'Linux',
  action: 'refunded',
  entity_type: 'order',
  entity_id: 'order-41',
  code: 'missing_user',
  version: 1,
  level: 'error,fatal',
  service: 'cart',
  host: 'web-1',
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  q: 'payment failed',
  contains: 'order-4',
  fields: 'time,message,http.status',
  field: 'service',
  interval: '1h',
  before: 5,
  after: 5,
  wait_ms: 100,
  ticket: 'mr_live_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4',
  confirm: 'self',
  data: '{"event":"Email Opened","userId":"u1"}',
  writeKey: 'mr_write_dev',
  userId: 'u1',
  anonymousId: 'a1',
}

/** An optional parameter of the query string. */
export function inQuery(name: string, description: string, schema: Node = { type: 'string' }): Node {
  const isListed = 'enum' in schema || schema.type === 'boolean' || !(name in parameterExamples)
  return {
    name,
    in: 'query',
    description,
    schema: isListed ? schema : { ...schema, examples: [parameterExamples[name]] },
  }
}
/** Schema of `limit` of a list. */
export const pageLimit: Node = {
  type: 'integer',
  minimum: 1,
  maximum: QUERY_LIMITS.listPage.max,
  default: QUERY_LIMITS.listPage.default,
}
/** The security of an operation: any way to send a key, and the scope that the key must have. */
export const needs = (scope: string): Node => ({ security: [{ basic: [] }, { bearer: [] }], 'x-scope': scope })

/** Responses that every operation with a key may give. */
export const commonProblems = {
  401: problem('The request has no valid key.'),
  403: problem('The key lacks the required scope.'),
}

export function reads(
  tag: string,
  summary: string,
  scope: string,
  answer: Node,
  parameters: readonly Node[] = [],
): Node {
  return {
    tags: [tag],
    summary,
    ...needs(scope),
    parameters,
    responses: {
      200: answer,
      400: problem('A parameter is invalid; details names it.'),
      ...commonProblems,
      404: problem('What the path names does not exist.'),
      503: problem('The service that answers this is unavailable.'),
    },
  }
}
