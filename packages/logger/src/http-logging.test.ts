import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { createLogger } from './create-logger.js'
import { currentTraceparent } from './current-traceparent.js'
import { createHttpLogging, type HttpLoggingOptions } from './http-logging.js'
import type { Logger } from './logger.js'

type Handler = (req: IncomingMessage, res: ServerResponse, logger: Logger) => void

async function ask(
  headers: Record<string, string>,
  handler: Handler,
  options: Partial<HttpLoggingOptions> = {},
  path = '/orders/7?email=bob@example.com',
) {
  let text = ''
  const logger = createLogger({
    service: 'test',
    samplePerSecond: 0,
    write: (lines) => {
      text += lines
    },
  })
  const logging = createHttpLogging({ logger, ...options })
  const server = createServer((req, res) => logging(req, res, () => handler(req, res, logger)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, { headers })
  await response.text()
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
  logger.close()
  const records = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { response, records }
}

const answer: Handler = (_req, res) => void res.end('ok')
const TRACE = '0af7651916cd43dd8448eb211c80319c'

describe('the HTTP middleware', () => {
  it.each([
    ['traceparent', `00-${TRACE}-b7ad6b7169203331-01`, TRACE],
    ['x-trace-id', TRACE.toUpperCase(), TRACE],
    ['x-trace-id', 'b7ad6b7169203331', `${'0'.repeat(16)}b7ad6b7169203331`],
    ['x-trace-id', '0af76519-16cd-43dd-8448-eb211c80319c', TRACE],
  ])('takes the trace id of the header %s: %s', async (name, value, expected) => {
    const { response, records } = await ask({ [name]: value }, answer)
    expect(response.headers.get('x-trace-id')).toBe(expected)
    expect(records[0]).toMatchObject({ trace_id: expected })
  })

  it('prefers traceparent to X-Trace-ID', async () => {
    const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, 'x-trace-id': 'f'.repeat(32) }
    expect((await ask(headers, answer)).response.headers.get('x-trace-id')).toBe(TRACE)
  })

  it.each([
    ['no header', {}],
    ['a trace id of zeros', { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` }],
    ['a forbidden version', { traceparent: `ff-${TRACE}-b7ad6b7169203331-01` }],
    ['other text', { 'x-trace-id': '"}forged' }],
    ['zeros', { 'x-trace-id': '0'.repeat(32) }],
  ])('makes a trace id for a request with %s', async (_what, headers) => {
    const { response, records } = await ask(headers, answer)
    const traceId = response.headers.get('x-trace-id')
    expect(traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/)
    expect(traceId).not.toBe(TRACE)
    expect(records[0]).toMatchObject({ trace_id: traceId })
  })

  it('puts the trace on every line of the request and on calls that it makes, also after an await', async () => {
    let traceparent: string | undefined
    const { records } = await ask({ 'x-trace-id': TRACE }, async (_req, res, logger) => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      logger.info('inside')
      traceparent = currentTraceparent()
      res.end()
    })
    expect(records.map(({ message, trace_id }) => [message, trace_id])).toEqual([
      ['inside', TRACE],
      ['a request was answered', TRACE],
    ])
    expect(traceparent).toBe(`00-${TRACE}-${String(records[0]?.span_id)}-01`)
  })

  it.each([
    [200, 'info'],
    [404, 'warn'],
    [500, 'error'],
  ])(
    'logs an answer with status %i as %s, with method, path, route, duration, user and session and without the query',
    async (status, level) => {
      const { records } = await ask(
        {},
        (_req, res) => {
          res.statusCode = status
          res.end()
        },
        { route: () => '/orders/:id', identity: () => ({ userId: 'u1', sessionId: 's1' }) },
      )
      expect(records).toHaveLength(1)
      expect(records[0]).toMatchObject({
        level,
        status,
        method: 'GET',
        path: '/orders/7',
        route: '/orders/:id',
        user_id: 'u1',
        session_id: 's1',
      })
      expect(records[0]?.duration_ms).toEqual(expect.any(Number))
    },
  )

  it('logs nothing for requests that are to be skipped', async () => {
    expect((await ask({}, answer, { skip: () => true })).records).toEqual([])
  })
})
