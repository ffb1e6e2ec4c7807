import { describe, expect, it } from '@jest/globals'
import { createOpenApiDocument } from './openapi.js'

const openApiDocument = createOpenApiDocument()

function* walk(node: unknown): Generator<Record<string, unknown>> {
  if (typeof node !== 'object' || node === null) return
  yield node as Record<string, unknown>
  for (const child of Object.values(node)) yield* walk(child)
}

describe('the OpenAPI document', () => {
  it('defines every schema that it refers to, and refers to every schema that it defines', () => {
    const used = new Set(
      [...walk(openApiDocument)].flatMap((node) =>
        typeof node.$ref === 'string' ? [node.$ref.replace('#/components/schemas/', '')] : [],
      ),
    )
    expect([...used].sort()).toEqual(Object.keys(openApiDocument.components.schemas).sort())
  })

  it('gives every operation a different operationId', () => {
    const names = [...walk(openApiDocument.paths)].flatMap(({ operationId }) => operationId ?? [])
    expect(names).toContain('postApiV1QueryFunnel')
    expect(new Set(names).size).toBe(names.length)
  })

  it('declares every parameter of every path, and has an example of every body', () => {
    for (const [path, item] of Object.entries(
      openApiDocument.paths as Record<string, Record<string, Record<string, unknown>>>,
    )) {
      for (const operation of Object.values(item)) {
        const declared = (operation.parameters as { name: string; in: string }[] | undefined) ?? []
        const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
        expect(declared.filter((parameter) => parameter.in === 'path').map(({ name }) => name)).toEqual(named)
        const body = operation.requestBody as { content: Record<string, { example?: unknown }> } | undefined
        for (const content of Object.values(body?.content ?? {})) expect(content.example).toBeDefined()
      }
    }
  })
})
