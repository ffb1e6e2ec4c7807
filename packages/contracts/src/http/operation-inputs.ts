import type { Node } from './openapi-schemas.js'

/** What a client may send to one operation, as the OpenAPI document says. */
export interface OperationInputs {
  /** The scope that its key needs; undefined for operations without a key. */
  readonly scope: string | undefined
  readonly query: readonly QueryParameter[]
  /** Whether clients may add query parameters of their own, which are ignored. */
  readonly ignoresOtherParameters: boolean
  /** undefined when the operation takes no body. */
  readonly body: BodyInputs | undefined
}

interface QueryParameter {
  readonly name: string
  readonly isRequired: boolean
}

interface BodyInputs {
  readonly isRequired: boolean
  readonly contentTypes: readonly string[]
  /** Names of the fields of a JSON object. */
  readonly fields: readonly string[]
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[]
  readonly requestBody?: {
    readonly required?: boolean
    readonly content: Readonly<Record<string, { readonly schema: Node }>>
  }
  readonly 'x-scope'?: string
  readonly 'x-ignores-other-parameters'?: boolean
}

interface Document {
  readonly paths: Node
  readonly components: { readonly schemas: Node }
}

/** The inputs of every operation of an OpenAPI document, by method and path: `GET /api/v1/users/{id}/timeline`. */
export function readOperationInputs({ paths, components }: Document): ReadonlyMap<string, OperationInputs> {
  const inputs = new Map<string, OperationInputs>()
  for (const [path, item] of Object.entries(paths as Record<string, Record<string, Operation>>)) {
    for (const [method, operation] of Object.entries(item))
      inputs.set(`${method.toUpperCase()} ${path}`, toInputs(operation, components.schemas))
  }
  return inputs
}

function toInputs(operation: Operation, schemas: Node): OperationInputs {
  const { parameters = [], requestBody } = operation
  return {
    scope: operation['x-scope'],
    query: parameters
      .filter((parameter) => parameter.in === 'query')
      .map(({ name, required = false }) => ({ name, isRequired: required })),
    ignoresOtherParameters: operation['x-ignores-other-parameters'] ?? false,
    body: requestBody && {
      isRequired: requestBody.required ?? false,
      contentTypes: Object.keys(requestBody.content),
      fields: Object.values(requestBody.content).flatMap(({ schema }) => fieldsOf(schema, schemas)),
    },
  }
}

function fieldsOf(schema: Node, schemas: Node): string[] {
  const name = typeof schema.$ref === 'string' ? schema.$ref.replace('#/components/schemas/', '') : undefined
  const { properties = {} } = (name === undefined ? schema : schemas[name]) as Node
  return Object.keys(properties as Node)
}
