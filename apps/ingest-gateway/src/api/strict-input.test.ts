import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createOpenApiDocument } from '@millrace/contracts/http'
import { TEST_RECEIPT, TestApi } from '../testing/test-api.js'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema: { readonly enum?: unknown[]; readonly type?: string; readonly examples?: unknown[] }
}
interface Operation {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: {
    readonly required?: boolean
    readonly content: Record<string, { readonly example?: unknown }>
  }
  readonly responses: Record<string, unknown>
  readonly 'x-ignores-other-parameters'?: boolean
}
interface Answer {
  readonly status: number
  readonly body: { readonly code?: string; readonly detail?: string; readonly details?: Record<string, unknown> }
}

const all = Object.entries(createOpenApiDocument().paths as Record<string, Record<string, Operation>>).flatMap(
  ([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      method,
      operation,
    })),
)
/** Operations behind Express, without the paths that SDKs call, and without the live streams, which do not end. */
const operations = all.filter(
  ({ path, operation }) =>
    (path.startsWith('/api/') || path.startsWith('/v1/receipts') || /^\/(docs|openapi)/.test(path)) &&
    !path.endsWith('/live') &&
    operation['x-ignores-other-parameters'] !== true,
)
const queryOf = ({ parameters = [] }: Operation) => parameters.filter((parameter) => parameter.in === 'query')

/** Parameters that mean nothing without another one. */
const NEEDS: Readonly<Record<string, Record<string, string>>> = {
  property: { metric: 'p95' },
  strict: { min_watermark: '2026-11-19T00:00:00Z' },
  wait: { min_watermark: '2026-11-19T00:00:00Z' },
}

function valuesOf({ name, schema }: Parameter): string[] {
  if (schema.enum !== undefined) return schema.enum.map(String)
  if (schema.type === 'boolean') return ['true', 'false']
  if (name === 'cursor') return ['c']
  expect([name, schema.examples?.length]).toEqual([name, 1])
  return (schema.examples ?? []).map(String)
}

let api: TestApi
beforeAll(async () => {
  api = await new TestApi().open()
})
afterAll(() => api.close())

interface Sent {
  readonly query?: readonly (readonly [string, string])[]
  readonly body?: unknown
  readonly type?: string | undefined
  /** Sent instead of a body as JSON. */
  readonly text?: string
}

/** Sends a request to an operation, with Node's own client: fetch refuses to send a body with GET. */
async function send(
  { path, method }: { path: string; method: string },
  { query = [], body, type, text }: Sent,
): Promise<Answer> {
  const address = path.replace('{receipt}', TEST_RECEIPT).replace('{id}', '5')
  const search = new URLSearchParams(query.map(([name, value]): [string, string] => [name, value])).toString()
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body))
  return await new Promise((resolve, reject) => {
    const headers = {
      authorization: 'Bearer a',
      ...(type !== undefined && { 'content-type': type }),
      ...(sent !== undefined && { 'content-length': String(Buffer.byteLength(sent)) }),
    }
    const req = request(
      `${api.origin}${address}${search === '' ? '' : `?${search}`}`,
      { method, headers },
      async (res) => {
        let answer = ''
        for await (const chunk of res) answer += String(chunk)
        const isJson = res.headers['content-type']?.includes('json') === true && answer !== ''
        resolve({ status: res.statusCode ?? 0, body: isJson ? (JSON.parse(answer) as Answer['body']) : {} })
      },
    )
    req.on('error', reject)
    req.end(sent)
  })
}

/** What an operation needs at least: required parameters and an example of its body. */
function minimumOf({ operation }: { operation: Operation }): Sent & { query: [string, string][] } {
  const needed = queryOf(operation).filter(({ required }) => required)
  const query = needed.flatMap((parameter): [string, string][] => [
    ...Object.entries(NEEDS[parameter.name] ?? {}),
    [parameter.name, valuesOf(parameter)[0] as string],
  ])
  const example = operation.requestBody?.content['application/json']?.example
  return { query, ...(example !== undefined && { body: example, type: 'application/json' }) }
}

function expectRefusal({ status, body }: Answer, field: string): void {
  expect([status, body.code, body.details?.field]).toEqual([400, 'INVALID_REQUEST', field])
  expect(body.detail).toContain(field)
}

describe('an operation of the API', () => {
  it.each(operations)(
    'accepts what the OpenAPI document says that it needs, and nothing else is needed: $name',
    async (one) => {
      const { status } = await send(one, minimumOf(one))
      expect(Object.keys(one.operation.responses)).toContain(String(status))
      expect([200, 201, 204, 503]).toContain(status)
    },
  )

  it.each(operations)('names a required parameter that is missing: $name', async (one) => {
    const { query, ...rest } = minimumOf(one)
    for (const { name, required } of queryOf(one.operation)) {
      if (required !== true) continue
      expectRefusal(await send(one, { ...rest, query: query.filter(([other]) => other !== name) }), name)
    }
  })

  it.each(operations)('accepts each value of each optional parameter: $name', async (one) => {
    const { query, ...rest } = minimumOf(one)
    for (const parameter of queryOf(one.operation)) {
      for (const value of valuesOf(parameter)) {
        const more = { ...Object.fromEntries(query), ...NEEDS[parameter.name], [parameter.name]: value }
        const answer = await send(one, { ...rest, query: Object.entries(more) })
        expect([parameter.name, value, answer.status, answer.body.detail]).not.toEqual([
          parameter.name,
          value,
          400,
          answer.body.detail,
        ])
      }
    }
  })

  it.each(operations)('names an unknown parameter, and the known one that it may mean: $name', async (one) => {
    const { query, ...rest } = minimumOf(one)
    expectRefusal(await send(one, { ...rest, query: [...query, ['surprise', '1']] }), 'surprise')
    for (const { name } of queryOf(one.operation)) {
      const misspelled = name.toUpperCase()
      const { status, body } = await send(one, { ...rest, query: [...query, [misspelled, '1']] })
      expect([status, body.details?.field, body.details?.did_you_mean]).toEqual([400, misspelled, name])
      expect(body.detail).toContain(`did you mean ${name}?`)
    }
  })

  it.each(operations)('names a parameter that is empty or repeated: $name', async (one) => {
    const { query, ...rest } = minimumOf(one)
    for (const parameter of queryOf(one.operation)) {
      const { name } = parameter
      const others = query.filter(([other]) => other !== name)
      expectRefusal(await send(one, { ...rest, query: [...others, [name, '']] }), name)
      const value = valuesOf(parameter)[0] as string
      expectRefusal(await send(one, { ...rest, query: [...others, [name, value], [name, value]] }), name)
    }
  })

  it.each(operations.filter(({ operation }) => operation.requestBody === undefined))(
    'without a body refuses a request that has one: $name',
    async (one) => {
      const { query } = minimumOf(one)
      expectRefusal(await send(one, { query, body: { event: 'A' }, type: 'application/json' }), 'body')
      expectRefusal(await send(one, { query, text: 'event=A', type: 'application/x-www-form-urlencoded' }), 'body')
      expect((await send(one, { query, body: {}, type: 'application/json' })).status).not.toBe(400)
    },
  )

  it.each(operations.filter(({ operation }) => operation.requestBody !== undefined))(
    'refuses a body with another content type, and a body that is not an object: $name',
    async (one) => {
      const { query, body } = minimumOf(one)
      for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded'])
        expectRefusal(await send(one, { query, body, type }), 'content-type')
      for (const text of ['[]', '[{"event":"A"}]'])
        expectRefusal(await send(one, { query, text, type: 'application/json; charset=utf-8' }), 'body')
      if (one.operation.requestBody?.required === true) expectRefusal(await send(one, { query }), 'body')
    },
  )

  it.each(operations.filter(({ operation }) => operation.requestBody !== undefined))(
    'names a field of its body that is unknown or empty: $name',
    async (one) => {
      const { query, body, type } = minimumOf(one)
      const { status, body: problem } = await send(one, { query, body: { ...(body as object), surprise: 1 }, type })
      expect([status, problem.details?.field]).toEqual([400, 'surprise'])
      for (const name of Object.keys(body as object))
        expectRefusal(await send(one, { query, body: { ...(body as object), [name]: '' }, type }), name)
    },
  )

  it.each(operations)('documents 400, because each can get input that it does not take: $name', ({ operation }) => {
    expect(Object.keys(operation.responses)).toContain('400')
  })
})

describe('input that would be ignored silently', () => {
  const query = (kind: string) => ({ path: `/api/v1/query/${kind}`, method: 'post' })

  it('is refused in the query string of a POST', async () => {
    const answer = await send(query('uniques'), { query: [['event', 'A']], body: {}, type: 'application/json' })
    expectRefusal(answer, 'event')
  })

  it.each([
    ['wait', { wait: '5s' }],
    ['strict', { strict: true }],
  ])('is refused where %s stands without min_watermark', async (field, body) => {
    expectRefusal(await send(query('uniques'), { body, type: 'application/json' }), field)
  })

  it('is refused where a body names a field twice, at any level', async () => {
    const type = 'application/json'
    expectRefusal(await send(query('uniques'), { text: '{"event":"A","event":"B"}', type }), 'event')
    const filters = '{"filters":[{"property":"event","op":"eq","op":"ne","value":"A"}]}'
    expectRefusal(await send(query('uniques'), { text: filters, type }), 'op')
    const scopes = '{"scopes":["write"],"scopes":["admin"]}'
    expectRefusal(await send({ path: '/api/v1/keys', method: 'post' }, { text: scopes, type }), 'scopes')
  })

  it('is refused where a query string is not UTF-8', async () => {
    const response = await fetch(`${api.origin}/api/v1/query/uniques?event=%FF`, {
      headers: { authorization: 'Bearer a' },
    })
    expect([response.status, ((await response.json()) as { detail: string }).detail]).toEqual([
      400,
      'the query string is not valid percent-encoded UTF-8',
    ])
  })

  it('does not include the one parameter beyond the first thousand', async () => {
    const known = Array.from({ length: 1000 }, (): [string, string] => ['event', 'A'])
    expectRefusal(
      await send({ path: '/api/v1/events', method: 'get' }, { query: [...known.slice(0, 1), ['later', '1']] }),
      'later',
    )
    expectRefusal(await send({ path: '/api/v1/events', method: 'get' }, { query: known }), 'event')
  })

  it('is refused only after the key was checked', async () => {
    expect((await api.ask('GET', '/api/v1/events?surprise=1', 'nobody')).status).toBe(401)
    expect((await api.ask('GET', '/api/v1/keys?surprise=1', 'r')).status).toBe(403)
  })

  it('is accepted where SDKs add parameters of their own', async () => {
    const exempt = all.filter(({ operation }) => operation['x-ignores-other-parameters'] === true)
    expect(exempt.map(({ path }) => path).filter((path) => path.startsWith('/api/') || path === '/v1/events')).toEqual(
      [],
    )
    const answer = await api.ask('GET', '/sourceConfig?p=npm&v=3.34.1&writeKey=w&bt=', 'w')
    expect(answer.status).toBe(200)
  })
})
