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
/** An optional parameter of the query string. */
export const inQuery = (name: string, description: string, schema: Node = { type: 'string' }): Node => ({
  name,
  in: 'query',
  description,
  schema,
})
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
