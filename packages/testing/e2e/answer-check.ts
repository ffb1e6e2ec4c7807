import { Ajv2020 } from 'ajv/dist/2020.js'

type Schema = Record<string, unknown>

/**
 * Checks an answer against what an OpenAPI document says of it, at the address, method and status of the answer. Answers may not have fields
 * that the document does not name. Throws naming what does not fit.
 */
export function createAnswerCheck(document: object) {
  const ajv = new Ajv2020({ strict: false, validateFormats: true, allErrors: true })
  ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
  ajv.addSchema(close(structuredClone(document)) as Schema, 'document')
  return function checkAnswer(path: string, method: string, { status, body }: { status: number; body: unknown }): void {
    const steps = ['paths', path, method, 'responses', String(status), 'content', 'application/json', 'schema']
    const pointer = steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const isFitting = ajv.compile({ $ref: `document#/${pointer}` })
    if (isFitting(body)) return
    const faults = isFitting.errors?.map(({ instancePath, message, params }) => {
      return `${instancePath} ${message} ${JSON.stringify(params)}`
    })
    throw new Error(
      `${method} ${path} ${status} does not fit the document: ${faults?.join('; ')} in ${JSON.stringify(body)}`,
    )
  }
}

/** Lets no object have fields without a name, except parts of an allOf, which would refuse one another's. */
function close(node: unknown): unknown {
  if (Array.isArray(node)) node.forEach(close)
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return node
  const schema = node as Schema
  for (const [key, child] of Object.entries(schema)) if (key !== 'example') close(child)
  if (schema.type === 'object' && schema.properties !== undefined) schema.additionalProperties ??= false
  if (Array.isArray(schema.allOf)) schema.unevaluatedProperties = false
  return schema
}
