import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { authErrors, type KeyVerifier, type Principal } from '@millrace/auth'
import { coreErrors } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { createSecurityHeaders } from '@millrace/service'
import { noopTracer, type Span, type Tracer } from '@millrace/telemetry'
import { Cors } from './cors.js'
import { createIntake } from './intake.js'
import type { IntakeRequest } from './intake-request.js'
import type { IntakeRoute } from './intake-route.js'
import { type FixedBody, ResponseWriter } from './response-writer.js'

/** Larger than the compressed bombs below, so that only their decompressed size can exceed it. */
const LIMIT = 60_000
const writer: Principal = { keyId: '1', tenantId: 7, tenantName: 't', scopes: ['write'], limits: {} }
const principals: Record<string, Principal> = { w: writer, r: { ...writer, scopes: ['read'] } }
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

let server: Server
let origin: string
let isLookupSlow: boolean
/** A lookup of a key that has not ended. */
let lookup: Promise<Principal> | undefined
let failure: Error | undefined
/** The bodies that reached the handlers. */
let handled: string[]
let traceparents: (string | undefined)[]
let observed: { route: string; status: string }[]
let isTracing: boolean
/** Attributes of the finished spans, with their parents. */
let spans: object[]

function verifyKey(key: string): Principal | Promise<Principal> {
  const check = () => {
    const found = principals[key]
    if (found === undefined) throw authErrors.KEY_INVALID()
    return found
  }
  const checkLater = async () => {
    await setTimeout(5)
    return check()
  }
  if (lookup !== undefined) return lookup
  return isLookupSlow ? checkLater() : check()
}
const verifier: Pick<KeyVerifier, 'verify' | 'verifyKey'> = {
  verify: (header) => verifyKey((header ?? '').replace('Bearer ', '')),
  verifyKey,
}

async function handle(request: IntakeRequest): Promise<void> {
  const body = Buffer.concat(request.chunks).toString()
  if (request.principal === undefined) await request.authenticate(/key=(\w+)/.exec(body)?.[1])
  if (failure !== undefined) throw failure
  handled.push(body)
  traceparents.push(request.traceparent)
  request.respond(JSON.stringify({ tenant: request.principal?.tenantId, bytes: request.bytes }))
}

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const CHILD = '00-0af7651916cd43dd8448eb211c80319c-1111111111111111-01'

const tracer: Tracer = {
  ...noopTracer,
  get isOn() {
    return isTracing
  },
  async withSpan(name, attributes, work, options) {
    const all: Record<string, unknown> = { name, ...attributes, parent: options?.parent }
    const span: Span = {
      traceparent: CHILD,
      setAttributes: (more) => Object.assign(all, more),
      recordError: () => undefined,
    }
    const result = await work(span)
    spans.push(all)
    return result
  },
}

const IMAGE: FixedBody = { contentType: 'image/gif', bytes: Buffer.from('GIF89a') }

const route = {
  scope: 'write',
  keyIn: 'header',
  bodyBytesMax: LIMIT,
  encodings: ['gzip', 'deflate', 'br'],
  handle,
} as const satisfies Omit<IntakeRoute, 'path'>

beforeEach(async () => {
  isLookupSlow = false
  lookup = undefined
  failure = undefined
  handled = []
  traceparents = []
  observed = []
  spans = []
  isTracing = false
  const cors = new Cors({ origins: ['https://shop.example'], exposedHeaders: ['ETag'] })
  const routes: IntakeRoute[] = [
    { ...route, path: '/logs' },
    { ...route, path: '/open', keyIn: 'header-or-body' },
    {
      ...route,
      path: '/{index}/lines',
      readKey: ({ headers }) => headers['x-key']?.toString(),
      handle: (request) =>
        request.respondWith({ status: 202, contentType: 'text/plain', headers: { 'X-Own': '1' }, body: 'taken' }),
      formatRefusal: (_request, { code }, { status }) => ({
        status,
        contentType: 'text/plain',
        body: `refused: ${code}`,
      }),
    },
    { ...route, path: '/a/lines', method: 'PUT' },
    { ...route, path: '/plain', encodings: [] },
    { ...route, path: '/large', bodyBytesMax: 100_000 },
    { ...route, path: '/limited', bodyBytesSetting: 'LOG_BYTES' },
    { ...route, path: '/beacon', keyIn: 'header-or-body', keyParameter: 'writeKey' },
    { ...route, path: '/anyone', keyIn: 'nowhere', handle: (request) => request.respond('{}') },
    { ...route, path: '/pixel', method: 'GET', keyParameter: 'writeKey', fixedBody: IMAGE },
    {
      ...route,
      path: '/probe',
      method: 'GET',
      handlesHead: true,
      handle: (request) => request.respondWith({ status: 200, headers: { 'X-Probe': 'yes' }, body: 'text' }),
    },
  ]
  const handleIntake = createIntake(routes, {
    verifier,
    responses: new ResponseWriter(cors, await createSecurityHeaders()),
    metrics: { observe: (labels) => observed.push(labels) },
    tracer,
    logger: silentLogger,
  })
  server = createServer((req, res) => {
    if (!handleIntake(req, res)) res.writeHead(404).end('somebody else')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

async function post(path: string, body: string | Buffer, headers: Record<string, string> = bearer('w')) {
  const response = await fetch(`${origin}${path}`, { method: 'POST', body, headers })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  }
}

describe('the intake', () => {
  it.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['GZIP', gzipSync],
  ])('hands over the decompressed body of a request with Content-Encoding %s', async (encoding, compress) => {
    const answer = await post('/logs', compress('hello'), { ...bearer('w'), 'content-encoding': encoding })
    expect(answer).toMatchObject({ status: 200, body: { tenant: 7, bytes: 5 } })
    expect(handled).toEqual(['hello'])
  })

  it('hands over a body that is large while compressed, which the thread pool decompresses', async () => {
    // Incompressible, so that it stays above the 64 KiB up to which bodies are decompressed at once.
    const body = randomBytes(80_000)
    const answer = await post('/large', gzipSync(body), { ...bearer('w'), 'content-encoding': 'gzip' })
    expect(answer).toMatchObject({ status: 200, body: { bytes: 80_000 } })
  })

  it('lets the handler authenticate with a key from the body, if the route allows it', async () => {
    expect(await post('/open', 'key=w', {})).toMatchObject({ status: 200, body: { tenant: 7 } })
    expect(await post('/open', 'key=x', {})).toMatchObject({ status: 401, body: { code: 'KEY_INVALID' } })
    expect(await post('/open', 'key=r', {})).toMatchObject({ status: 403, body: { code: 'SCOPE_MISSING' } })
    expect(await post('/open', 'nothing', {})).toMatchObject({ status: 401, body: { code: 'KEY_MISSING' } })
  })

  it('waits for the lookup of a key before it hands the request over', async () => {
    isLookupSlow = true
    expect(await post('/logs', 'hello')).toMatchObject({ status: 200, body: { tenant: 7 } })
    expect(await post('/open', 'key=w', {})).toMatchObject({ status: 200, body: { tenant: 7 } })
  })

  it.each([
    ['no gzip', 'not gzip', { 'content-encoding': 'gzip' }],
    ['of an unknown encoding', 'x', { 'content-encoding': 'zstd' }],
    ['over the limit', 'x'.repeat(LIMIT + 1), {}],
    ['over the limit after decompression', gzipSync('x'.repeat(LIMIT + 1)), { 'content-encoding': 'gzip' }],
  ])(
    'refuses a key before it looks at a body that is %s, whether it knows the key or not',
    async (_what, body, more) => {
      for (const isSlow of [false, true]) {
        isLookupSlow = isSlow
        for (const path of ['/logs', '/open', '/beacon']) {
          const unknown = await post(path, body, { ...more, ...bearer('x') })
          expect([path, isSlow, unknown.status, unknown.body.code]).toEqual([path, isSlow, 401, 'KEY_INVALID'])
          const reader = await post(path, body, { ...more, ...bearer('r') })
          expect([reader.status, reader.body.code]).toEqual([403, 'SCOPE_MISSING'])
        }
      }
      expect((await post('/beacon?writeKey=x', body, more)).status).toBe(401)
      expect(handled).toEqual([])
    },
  )

  it('refuses an unknown key before it looks at an absurd Content-Length, whether it knows the key or not', async () => {
    for (const isSlow of [false, true]) {
      isLookupSlow = isSlow
      const socket = connect(Number(new URL(origin).port), '127.0.0.1')
      socket.write('POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 99999999999\r\n\r\n')
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 401 (?:.|\r\n)*Connection: close/)
      socket.destroy()
    }
  })

  it('reads no more of a body than the first buffers while the key is looked up', async () => {
    let refuse: (error: Error) => void = () => undefined
    lookup = new Promise((_, reject) => {
      refuse = reject
    })
    const sockets: Socket[] = []
    server.on('connection', (socket) => sockets.push(socket))
    const client = connect(Number(new URL(origin).port), '127.0.0.1')
    client.on('error', () => undefined)
    client.write('POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nTransfer-Encoding: chunked\r\n\r\n')
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`
    const answer = once(client, 'data')
    for (let i = 0; i < 12; i++) client.write(chunk)
    // The server reads until its buffers are full and then no more, so the client cannot get rid of its data.
    await waitUntil(() => (sockets[0]?.bytesRead ?? 0) > 0)
    for (let i = 0; i < 20; i++) await setTimeout(5)
    expect(sockets[0]?.bytesRead).toBeLessThan(0x100000)
    refuse(authErrors.KEY_INVALID())
    expect(String((await answer)[0])).toMatch(/^HTTP\/1\.1 401 /)
    client.destroy()
  })

  it.each(['identity', 'Identity', ' ', ''])(
    'takes a body with Content-Encoding "%s" as it is, because that means no compression',
    async (encoding) => {
      const answer = await post('/logs', 'hello', { ...bearer('w'), 'content-encoding': encoding })
      expect(answer).toMatchObject({ status: 200, body: { bytes: 5 } })
    },
  )

  it('takes the key in the header before the key in the URL, and that before the key in the body', async () => {
    expect((await post('/beacon?writeKey=w', 'key=x', {})).status).toBe(200)
    expect((await post('/beacon?writeKey=x', 'key=w', bearer('w'))).status).toBe(200)
    expect((await post('/beacon?writeKey=x', 'key=w', {})).body.code).toBe('KEY_INVALID')
    expect((await post('/beacon?writeKey=', 'key=w', {})).status).toBe(200)
    expect((await post('/beacon?writeKey=r', 'a', {})).body.code).toBe('SCOPE_MISSING')
    expect((await post('/open?writeKey=w', 'a', {})).body.code).toBe('KEY_MISSING')
  })

  it('takes requests without a key where a route says so', async () => {
    expect((await post('/anyone', 'a', {})).status).toBe(200)
    expect((await post('/anyone', 'a', bearer('x'))).status).toBe(200)
  })

  it('sends the fixed body of a route with each response, and the code of a refusal in a header', async () => {
    const answers = await Promise.all(['w', 'x', 'r'].map((key) => fetch(`${origin}/pixel?writeKey=${key}`)))
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 403])
    expect(answers.map(({ headers }) => headers.get('millrace-error'))).toEqual([null, 'KEY_INVALID', 'SCOPE_MISSING'])
    for (const answer of answers) {
      expect(answer.headers.get('content-type')).toBe('image/gif')
      expect(answer.headers.get('www-authenticate')).toBeNull()
      expect(answer.headers.get('cross-origin-resource-policy')).toBe('cross-origin')
      expect(await answer.text()).toBe('GIF89a')
    }
    expect(handled).toEqual([''])
  })

  it('answers HEAD where it answers GET, and takes nothing in', async () => {
    const response = await fetch(`${origin}/pixel?writeKey=w`, { method: 'HEAD' })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/gif'])
    expect(handled).toEqual([])
  })

  it('gives HEAD the headers of GET, after it has checked the key, where the route asks for it', async () => {
    const head = (headers: Record<string, string>) => fetch(`${origin}/probe`, { method: 'HEAD', headers })
    const response = await head({ authorization: 'Bearer w' })
    expect([response.status, response.headers.get('x-probe'), await response.text()]).toEqual([200, 'yes', ''])
    expect((await head({})).status).toBe(401)
  })

  it.each([
    ['GET', '/logs', 'POST, OPTIONS'],
    ['HEAD', '/logs', 'POST, OPTIONS'],
    ['PUT', '/logs/', 'POST, OPTIONS'],
    ['POST', '/pixel', 'GET, HEAD, OPTIONS'],
    ['DELETE', '/pixel', 'GET, HEAD, OPTIONS'],
  ])('answers %s %s with 405 and the methods of the path', async (method, path, allow) => {
    const response = await fetch(`${origin}${path}`, { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow])
  })

  it('answers OPTIONS with the methods of the path', async () => {
    for (const [path, allow] of [
      ['/logs', 'POST, OPTIONS'],
      ['/pixel', 'GET, HEAD, OPTIONS'],
    ]) {
      const response = await fetch(`${origin}${path}`, { method: 'OPTIONS' })
      expect([response.status, response.headers.get('allow')]).toEqual([204, allow])
    }
  })

  it('takes repeated slashes in a path as one', async () => {
    expect((await post('//logs//', 'hello')).status).toBe(200)
  })

  it('serves a path with a slash at its end, and leaves other paths to the next handler', async () => {
    expect((await post('/logs/?x=1', 'hello')).status).toBe(200)
    for (const path of ['/log', '/logs/x', '/'])
      expect(await (await fetch(`${origin}${path}`, { method: 'POST' })).text()).toBe('somebody else')
  })

  it('counts each response with the path of its route', async () => {
    await post('/logs?secret=1', 'hello')
    await post('/logs', 'hello', bearer('x'))
    expect(observed.map(({ route: path, status }) => [path, status])).toEqual([
      ['/logs', '200'],
      ['/logs', '401'],
    ])
  })

  it('traces each request from its headers to the end of its response', async () => {
    isTracing = true
    await post('/logs', 'hello', { ...bearer('w'), traceparent: PARENT })
    await waitUntil(() => spans.length === 1)
    expect(spans).toEqual([
      {
        name: 'HTTP POST',
        parent: PARENT,
        'http.request.method': 'POST',
        'http.route': '/logs',
        'http.response.status_code': 200,
      },
    ])
    expect(traceparents).toEqual([CHILD])
  })

  it('finds a route by a path with a variable segment, and an exact path before it', async () => {
    const send = (path: string, method: string) => fetch(`${origin}${path}`, { method, headers: bearer('w'), body: '' })
    const variable = await send('/b/lines?x=1', 'POST')
    expect([variable.status, variable.headers.get('x-own'), await variable.text()]).toEqual([202, '1', 'taken'])
    expect((await send('/a/lines', 'PUT')).status).toBe(200)
    const wrong = await send('/a/lines', 'POST')
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'PUT, OPTIONS'])
    expect((await send('/a/b/lines', 'POST')).status).not.toBe(202)
  })

  it('takes the key from the place that its route names', async () => {
    const send = (key: string) => fetch(`${origin}/b/lines`, { method: 'POST', headers: { 'x-key': key }, body: '' })
    expect((await send('w')).status).toBe(202)
    expect((await send('r')).status).toBe(403)
  })

  it('is refused in the form of its route, with the status and headers of the problem', async () => {
    const refused = await fetch(`${origin}/b/lines`, { method: 'POST', headers: bearer('unknown'), body: '' })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('content-type')).toBe('text/plain')
    expect(refused.headers.get('www-authenticate')).toContain('Basic')
    expect(refused.headers.get('millrace-error')).toBe('KEY_INVALID')
    expect(await refused.text()).toBe('refused: KEY_INVALID')
  })

  it('does not start with two routes of the same path', () => {
    const twice: IntakeRoute = { ...route, path: '/twice' }
    expect(() => createIntake([twice, twice], {} as never)).toThrow('two routes have the path /twice')
  })
})

describe('a refused request', () => {
  const large = 'x'.repeat(LIMIT + 1)
  const gzip = { ...bearer('w'), 'content-encoding': 'gzip' }
  it.each([
    ['has no key', '/logs', 'a', {}, 401, 'KEY_MISSING'],
    ['has its key in the body of a route that takes keys in the header', '/logs', 'key=w', {}, 401, 'KEY_MISSING'],
    ['has an unknown key', '/logs', 'a', bearer('x'), 401, 'KEY_INVALID'],
    ['has a key without the scope', '/logs', 'a', bearer('r'), 403, 'SCOPE_MISSING'],
    ['is too large', '/logs', large, bearer('w'), 413, 'BODY_TOO_LARGE'],
    ['is too large after decompression', '/logs', gzipSync(large), gzip, 413, 'BODY_TOO_LARGE'],
    ['has an unknown encoding', '/logs', 'a', { ...gzip, 'content-encoding': 'zstd' }, 415, 'UNSUPPORTED_ENCODING'],
    ['has two encodings', '/logs', 'a', { ...gzip, 'content-encoding': 'gzip, gzip' }, 415, 'UNSUPPORTED_ENCODING'],
    ['has an encoding that its route does not accept', '/plain', gzipSync('a'), gzip, 415, 'UNSUPPORTED_ENCODING'],
    ['is not in the encoding that it names', '/logs', '{}', gzip, 400, 'CORRUPT_ENCODING'],
    ['is cut short in its encoding', '/logs', gzipSync(large).subarray(0, 50), gzip, 400, 'CORRUPT_ENCODING'],
  ])(
    'gets a problem document and does not reach the handler when it %s',
    async (_name, path, body, headers, status, code) => {
      const answer = await post(path, body, headers)
      expect([answer.status, answer.body.code]).toEqual([status, code])
      expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
      expect(answer.body).toMatchObject({
        type: `urn:millrace:error:${code.toLowerCase()}`,
        request_id: expect.any(String),
      })
      expect(handled).toEqual([])
    },
  )

  it.each([
    ['the body has 60001 bytes, and at most 60000 are allowed (LOG_BYTES)', '/limited', large, bearer('w')],
    [
      'the body has more than 60000 bytes after decompression, and at most 60000 are allowed (LOG_BYTES)',
      '/limited',
      gzipSync(large),
      gzip,
    ],
    ['the body has 60001 bytes, and at most 60000 are allowed', '/logs', large, bearer('w')],
  ])('is told the size of its body, the limit and the setting: %s', async (detail, path, body, headers) => {
    expect((await post(path, body, headers)).body).toMatchObject({ code: 'BODY_TOO_LARGE', detail })
  })

  it('gets the error of the handler, with the time after which to retry', async () => {
    failure = coreErrors.DEPENDENCY_UNAVAILABLE({ retryAfterSeconds: 2.5 })
    const answer = await post('/logs', 'a')
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '3'])
    failure = new Error('secret')
    expect((await post('/logs', 'a')).body).toMatchObject({ status: 500, code: 'INTERNAL' })
  })

  it('is refused before its body arrives when Content-Length is absurd, and its connection is closed', async () => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    socket.write('POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer w\r\nContent-Length: 99999999999\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer.toString()).toContain('Connection: close')
    await once(socket, 'close')
  })
})

describe('a body that is larger than what the intake throws away', () => {
  it('ends with 413 and a closed connection, which a client can still read that sends without reading', async () => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    // The server closes the connection while the client still writes.
    socket.on('error', () => undefined)
    socket.write('POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer w\r\nTransfer-Encoding: chunked\r\n\r\n')
    const mebibyte = Buffer.from(`100000\r\n${' '.repeat(1 << 20)}\r\n`)
    for (let sent = 0; sent < 24; sent++) await new Promise((resolve) => socket.write(mebibyte, resolve))
    let answer = ''
    socket.on('data', (data) => {
      answer += data.toString()
    })
    await closed
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('Connection: close')
  })
})

/** Waits at most a second. */
async function waitUntil(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !isTrue(); i++) await setTimeout(10)
}

describe('a decompression bomb', () => {
  it.each([
    ['gzip', gzipSync(Buffer.alloc(50_000_000, 0x20))],
    ['br', brotliCompressSync(Buffer.alloc(50_000_000, 0x20), { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })],
    ['deflate', deflateSync(Buffer.alloc(50_000_000, 0x20))],
  ])('in %s is stopped at the limit and never takes the memory of its full size', async (encoding, bomb) => {
    expect(bomb.length).toBeLessThan(LIMIT)
    const before = process.memoryUsage().rss
    const answer = await post('/logs', bomb, { ...bearer('w'), 'content-encoding': encoding })
    expect(answer.body.code).toBe('BODY_TOO_LARGE')
    expect(process.memoryUsage().rss - before).toBeLessThan(30_000_000)
  })
})

describe('the headers of a response', () => {
  it('allow the configured web pages to call, and no others', async () => {
    const { headers } = await post('/logs', 'a', { ...bearer('w'), origin: 'https://shop.example' })
    expect(headers.get('access-control-allow-origin')).toBe('https://shop.example')
    expect(headers.get('access-control-expose-headers')).toContain('ETag')
    const other = await post('/logs', 'a', { ...bearer('w'), origin: 'https://other.example' })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
  })

  const preflight = (asked: Record<string, string>, page = 'https://shop.example') =>
    fetch(`${origin}/logs`, {
      method: 'OPTIONS',
      headers: { origin: page, 'access-control-request-method': 'POST', ...asked },
    })

  it.each([
    ['RudderStack’s SDK', 'anonymousid,authorization,content-type,rsa-recovered,rsa-retry-attempt,sentat'],
    ['Segment’s SDK on a retry', 'authorization,content-type,x-retry-count'],
    ['Sentry', 'baggage,sentry-trace'],
    ['Datadog', 'x-datadog-origin,x-datadog-parent-id,x-datadog-sampling-priority,x-datadog-trace-id'],
    ['OpenTelemetry', 'b3,traceparent,tracestate,uber-trace-id,x-b3-traceid'],
    ['CloudEvents', 'ce-id,ce-source,ce-specversion,ce-type'],
    ['a library that nobody knows yet', 'x-anything-at-all, X_Other.Header~1'],
  ])('let a page send the headers of %s', async (_name, asked) => {
    const { status, headers } = await preflight({ 'access-control-request-headers': asked })
    expect([status, headers.get('access-control-allow-headers')]).toEqual([204, asked])
    expect(headers.get('access-control-allow-methods')).toContain('POST')
    expect(headers.get('access-control-max-age')).toBe('7200')
    expect(headers.get('vary')).toBe('Origin, Access-Control-Request-Headers, Access-Control-Request-Method')
  })

  it.each(['a b', 'x:y', '<script>', ','])('contain no requested header list that is not one: "%s"', async (asked) => {
    const { headers } = await preflight({ 'access-control-request-headers': asked })
    expect(headers.get('access-control-allow-headers')).toMatch(/^Authorization, Content-Type, /)
  })

  it('let pages send credentials, as beacons of type application/json always do, but no other pages', async () => {
    const { headers } = await preflight({ 'access-control-request-headers': 'content-type' })
    expect(headers.get('access-control-allow-origin')).toBe('https://shop.example')
    expect(headers.get('access-control-allow-credentials')).toBe('true')
    const answer = await post('/logs', 'a', { ...bearer('w'), origin: 'https://shop.example' })
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
    const other = await preflight({}, 'https://other.example')
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
    expect(other.headers.get('access-control-allow-credentials')).toBeNull()
  })

  it('forbid browsers to show or keep it', async () => {
    const { headers } = await post('/logs', 'a')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'")
    expect(headers.get('cache-control')).toBe('no-store')
  })
})
