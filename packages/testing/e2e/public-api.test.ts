import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createOpenApiDocument, sampleEvents } from '@millrace/contracts/http'
import { type Stack, waitFor } from '@millrace/local-stack'
import { encodePosition } from '@millrace/pagination'
import { startTestStack } from '../src/spawn-service.js'
import { createAnswerCheck } from './answer-check.js'
import { readCurlLines } from './curl-lines.js'
import { shiftDays, weeksUntilPast } from './shift-days.js'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly example?: string
  readonly schema: { readonly enum?: unknown[]; readonly type?: string; readonly examples?: unknown[] }
}

interface Operation {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Record<string, { readonly example: unknown }> }
  readonly responses: Record<string, { readonly content?: Record<string, { readonly example?: unknown }> }>
}

const document = createOpenApiDocument()
const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
)
const checkAnswer = createAnswerCheck(document)
/** The examples are about one week. The test moves them to a week that is past by the clock of this machine. */
const days = weeksUntilPast(sampleEvents) * 7

let stack: Stack
let receipt: string
let lineId: string

async function ask(
  path: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: object; body?: unknown } = {},
) {
  const response = await fetch(path.startsWith('http') ? path : `${stack.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${stack.adminKey}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  const parsed: unknown = text !== '' && type.includes('json') ? JSON.parse(text) : undefined
  return { status: response.status, type, body: parsed as Record<string, unknown> }
}

describe('the public API', () => {
  beforeAll(async () => {
    stack = await startTestStack()
    const taken = await ask('/v1/events', { method: 'POST', body: shiftDays(sampleEvents, days) })
    receipt = String(taken.body.receipt)
    const isStored = async () => (await ask(`/v1/receipts/${receipt}?wait_ms=5000`)).body.stored === sampleEvents.length
    await waitFor(isStored, { deadlineMs: 60_000, what: 'the sample events to be stored' })
    await ask('/v1/logs/ndjson', { method: 'POST', body: { message: 'a line', service: 'cart' } })
    const newest = async () => ((await ask('/api/v1/logs?limit=1')).body.data as { id: string }[])[0]
    lineId = (await waitFor(newest, { deadlineMs: 60_000, what: 'a search to find the log line' })).id
  })
  afterAll(() => stack?.stop())

  describe('the example of each query in the OpenAPI document', () => {
    const queries = operations.filter(({ path, method }) => path.startsWith('/api/v1/query/') && method === 'post')

    it.each(queries)('is answered as it says: $path', async ({ path, operation }) => {
      const query = shiftDays(
        operation.requestBody?.content['application/json']?.example as Record<string, unknown>,
        days,
      )
      const posted = await ask(path, { method: 'POST', body: query })
      expect([posted.status, posted.body.detail]).toEqual([200, undefined])
      checkAnswer(path, 'post', posted)
      const got = await ask(`${path}?${flatten(query)}`)
      checkAnswer(path, 'get', got)
      expect(got.body.data).toEqual(posted.body.data)
      const example = operation.responses['200']?.content?.['application/json']?.example as Record<string, unknown>
      checkAnswer(path, 'post', { status: 200, body: example })
      const { data, summary } = posted.body
      expect({ data, summary }).toEqual(about(shiftDays({ data: example.data, summary: example.summary }, days)))
    })
  })

  describe('the example of each list in the OpenAPI document', () => {
    const lists = operations.filter(({ operation: { parameters = [] } }) =>
      parameters.some((one) => one.in !== 'header' && one.example !== undefined),
    )

    it('is there for sessions and activities', () => {
      const paths = lists.map(({ path }) => path)
      expect(paths).toEqual(['/api/v1/sessions', '/api/v1/users/{id}/sessions', '/api/v1/activities'])
    })

    it.each(lists)('is answered as it says: $path', async ({ path, operation: { parameters = [], responses } }) => {
      const given = shiftDays(parameters, days).filter(({ example }) => example !== undefined)
      const fields = given.flatMap((one): [string, string][] =>
        one.in === 'query' ? [[one.name, one.example ?? '']] : [],
      )
      const id = given.find((one) => one.in === 'path')?.example ?? ''
      const answer = await ask(`${path.replace('{id}', id)}?${new URLSearchParams(fields).toString()}`)
      expect([answer.status, answer.body.detail]).toEqual([200, undefined])
      checkAnswer(path, 'get', answer)
      const example = responses['200']?.content?.['application/json']?.example as Record<string, unknown>
      checkAnswer(path, 'get', { status: 200, body: example })
      const { data, summary, next_cursor } = answer.body
      const expected = { data: example.data, summary: example.summary, next_cursor: null }
      expect({ data, summary, next_cursor }).toEqual(shiftDays(expected, days))
    })
  })

  it('the API refuses every forged cursor, however many arrive, and keeps answering the caller', async () => {
    const path = '/api/v1/query/timeseries?interval=1h&limit=1'
    const { body } = await ask(path)
    const binding = String(body.next_cursor).slice(0, 12)
    const codes = new Set<unknown>()
    for (const toMs of Array.from({ length: 24 }, (_, index) => (index % 2 === 0 ? 8.9e15 : 4e14))) {
      const refused = await ask(`${path}&cursor=${binding}${encodePosition([toMs])}`)
      codes.add(`${refused.status} ${String(refused.body.code)}`)
    }
    expect([...codes]).toEqual(['400 INVALID_CURSOR'])
    expect((await ask(path)).status).toBe(200)
  })

  describe('the other examples of the OpenAPI document', () => {
    const others = operations.filter(
      ({ path, operation }) =>
        !path.startsWith('/api/v1/query/') && !path.startsWith('/api/v1/keys') && !isStream(operation),
    )

    it.each(others)('$method $path', async ({ path, method, operation }) => {
      const address = addressOf(path, operation)
      const contents = Object.entries(operation.requestBody?.content ?? { none: { example: undefined } })
      for (const [type, { example }] of contents) {
        const headers = type === 'none' ? {} : type === '*/*' ? headersOf(operation) : { 'content-type': type }
        const answer = await ask(address, { method: method.toUpperCase(), headers, body: example })
        expect(expectedStatuses(path)).toContain(answer.status)
        const [documented = ''] = Object.keys(operation.responses[answer.status]?.content ?? {})
        expect(answer.type).toContain(documented)
        if (documented === 'application/json') checkAnswer(path, method, answer)
      }
    })

    const reads = operations.filter(
      ({ path, method, operation }) => path.startsWith('/api/') && method === 'get' && !isStream(operation),
    )

    it.each(reads)('accepts each documented value of each parameter: $path', async ({ path, operation }) => {
      const parameters = (operation.parameters ?? []).filter((one) => one.in === 'query')
      const needed = parameters.filter(({ required }) => required).flatMap(withNeeds)
      const [address = ''] = addressOf(path, operation).split('?')
      for (const parameter of parameters) {
        for (const [name, value] of parameter.name === 'cursor' ? [] : valuesOf(parameter)) {
          const fields = { ...Object.fromEntries(needed), ...needsOf(name, value), [name]: value }
          const { status, body } = await ask(`${address}?${new URLSearchParams(fields).toString()}`)
          expect([name, value, status, body.detail]).toEqual([name, value, status === 503 ? 503 : 200, body.detail])
          checkAnswer(path, 'get', { status, body })
        }
      }
    })

    it('keys: made, listed, rotated, revoked', async () => {
      const example = (path: string) =>
        operations.find((one) => one.path === path && one.method === 'post')?.operation.requestBody?.content[
          'application/json'
        ]?.example
      const made = await ask('/api/v1/keys', { method: 'POST', body: example('/api/v1/keys') })
      checkAnswer('/api/v1/keys', 'post', made)
      const rotate = '/api/v1/keys/{id}/rotate'
      const next = await ask(rotate.replace('{id}', String(made.body.id)), { method: 'POST', body: example(rotate) })
      checkAnswer(rotate, 'post', next)
      checkAnswer('/api/v1/keys', 'get', await ask('/api/v1/keys'))
      expect((await ask(`/api/v1/keys/${String(next.body.id)}`, { method: 'DELETE' })).status).toBe(204)
    })
  })

  describe('the README', () => {
    const lines = readCurlLines(readFileSync(new URL('../../../README.md', import.meta.url), 'utf8'))

    it('shows every kind of query', () => {
      const shown = new Set(lines.map(({ url }) => new URL(url).pathname))
      const queries = operations.map(({ path }) => path).filter((path) => path.startsWith('/api/v1/query/'))
      expect(queries.filter((path) => !shown.has(path))).toEqual([])
    })

    it.each(lines)('has a line that works as it stands: $method $url', async ({ url, method, headers, body }) => {
      const { pathname, search } = new URL(url)
      const { authorization = '' } = headers
      const own = authorization.startsWith('Basic')
        ? `Basic ${btoa(atob(authorization.slice(6)).replace('mr_write_dev', stack.writeKey).replace('mr_admin_dev', stack.adminKey))}`
        : authorization.replace('mr_admin_dev', stack.adminKey)
      const answer = await ask(`${pathname}${search}`, { method, headers: { ...headers, authorization: own }, body })
      expect([answer.status, answer.body.detail]).toEqual([200, undefined])
      checkAnswer(pathname, method.toLowerCase(), answer)
    })

    it('sends a login whose device, browser and system are known afterwards', async () => {
      const { body } = await ask('/api/v1/query/logins?fresh=true')
      expect(body.summary).toMatchObject({ recent: [{ device: 'desktop', browser: 'Firefox', os: 'Linux' }] })
    })
  })
})

/** Parameters that mean nothing without another one. */
const NEEDS: Readonly<Record<string, Record<string, string>>> = {
  property: { metric: 'p95' },
  strict: { min_watermark: '2026-11-19T00:00:00Z' },
  wait: { min_watermark: '2026-11-19T00:00:00Z' },
  to: { from: '2026-11-10T00:00:00Z' },
}

function needsOf(name: string, value: string): Record<string, string> {
  if (name !== 'metric') return NEEDS[name] ?? {}
  return ['count', 'uniques'].includes(value) ? {} : { property: 'properties.load_ms' }
}

function withNeeds(parameter: Parameter): [string, string][] {
  return [...Object.entries(NEEDS[parameter.name] ?? {}), ...valuesOf(parameter).slice(0, 1)]
}

/** Every documented value of a parameter. */
function valuesOf({ name, schema }: Parameter): [string, string][] {
  const values = schema.enum ?? (schema.type === 'boolean' ? [true, false] : (schema.examples ?? []))
  return values.map((value) => [name, String(value)])
}

/** An address with examples of its path, and of the event of an image. */
function addressOf(path: string, { parameters = [] }: Operation): string {
  const filled = path
    .replace('{receipt}', receipt)
    .replace('{key}', stack.writeKey)
    .replace('{id}', path.includes('users') ? 'u1' : path.includes('/logs/') ? lineId : '1')
  const needed = parameters.filter((one) => one.name === 'data' || (one.in === 'query' && one.required === true))
  return needed.length === 0 ? filled : `${filled}?${new URLSearchParams(needed.flatMap(withNeeds)).toString()}`
}

/** An answer that ends when the client ends it; live-logs.test.ts and others test them. */
function isStream({ responses }: Operation): boolean {
  return 'text/event-stream' in (responses['200']?.content ?? {})
}

/** The example headers of an operation whose body may have any content type. */
function headersOf({ parameters = [] }: Operation): Record<string, string> {
  return Object.fromEntries(
    parameters.filter((one) => one.in === 'header').map(({ name, example = '' }) => [name, example]),
  )
}

/** A new stack has no dead letters, and on an overloaded machine the health routes may answer 503. */
function expectedStatuses(path: string): number[] {
  if (path.includes('dead-letters/{id}')) return [404]
  if (path === '/api/v1/live/tickets') return [201]
  return path.endsWith('health') || path.includes('health/') ? [200, 503] : [200]
}

/** The fields of a body as parameters of a query string. */
function flatten({ metric, ...query }: Record<string, unknown>): string {
  const { agg, property } = (metric ?? {}) as Record<string, string>
  const flat = {
    ...query,
    ...(agg === undefined ? {} : { metric: agg }),
    ...(property === undefined ? {} : { property }),
  }
  return new URLSearchParams(
    Object.entries(flat).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  ).toString()
}

/** Matches equal values, and numbers within 1 %, as quantiles and fractions may differ. */
function about(value: unknown): unknown {
  if (typeof value === 'number') return expect.closeTo(value, value === 0 ? 9 : -Math.log10(Math.abs(value) / 50))
  if (Array.isArray(value)) return value.map(about)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, about(child)]))
}
