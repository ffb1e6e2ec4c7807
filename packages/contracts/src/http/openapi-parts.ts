import { type Node, ref } from './openapi-schemas.js'

export const json = (name: string, example?: unknown): Node => ({
  'application/json': { schema: ref(name), ...(example === undefined ? {} : { example }) },
})
export const problem = (description: string): Node => ({
  description,
  content: { 'application/problem+json': { schema: ref('Problem') } },
})
export const ok = (name: string, example?: unknown): Node => ({ description: 'as asked', content: json(name, example) })
export const inPath = (name: string): Node => ({ name, in: 'path', required: true, schema: { type: 'string' } })
export const inQuery = (name: string, description: string, schema: Node = { type: 'string' }): Node => ({
  name,
  in: 'query',
  description,
  schema,
})
export const needs = (scope: string): Node => ({ security: [{ basic: [] }, { bearer: [] }], 'x-scope': scope })

export const commonProblems = {
  401: problem('no key, or one that is not valid'),
  403: problem('the key lacks the scope'),
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
      400: problem('a parameter does not fit'),
      ...commonProblems,
      404: problem('there is no such thing'),
      503: problem('what answers this is down'),
    },
  }
}
