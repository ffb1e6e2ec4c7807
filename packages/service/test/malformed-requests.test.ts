import { once } from 'node:events'
import { type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createLogger, type RootLogger } from '@millrace/logger'
import { createMetrics, type Metrics } from '@millrace/telemetry'
import { waitFor } from '@millrace/testing'
import { startHttpServer } from '../src/http/start-http-server.js'

let server: Server
let stop: () => void | Promise<void>
let metrics: Metrics
let logger: RootLogger
let log: string
let sockets: Socket[]
/** Requests that reached the handler, and responses that it has not sent yet. */
let handled: string[]
let waiting: ServerResponse[]
let isSlow: boolean

function handler(req: IncomingMessage, res: ServerResponse): void {
  handled.push(`${req.method} ${req.url}`)
  req.resume()
  if (isSlow) waiting.push(res)
  else req.on('end', () => res.end('handled'))
}

beforeEach(async () => {
  sockets = []
  handled = []
  waiting = []
  isSlow = false
  log = ''
  metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
  logger = createLogger({
    service: 'test',
    level: 'debug',
    write: (lines) => {
      log += lines
    },
  })
  const headers = (origin: string | undefined) => [
    'X-Safe',
    'yes',
    ...(origin === undefined ? [] : ['Access-Control-Allow-Origin', origin]),
  ]
  const limits = { headerBytesMax: 8_192, headersTimeoutMs: 300, requestTimeoutMs: 600, overdueCheckMs: 50 }
  ;[server, stop] = await startHttpServer({ handler, port: 0, ...limits }, { metrics, logger, headers })
})

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await stop()
  logger.close()
})

function open(): Socket {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => undefined)
  sockets.push(socket)
  return socket
}

/** Everything that the server sends until it ends the connection. */
async function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (data) => {
    text += data.toString('latin1')
  })
  await once(socket, 'close')
  return text
}

async function send(...packets: (string | Buffer)[]): Promise<string> {
  const socket = open()
  const all = readAll(socket)
  for (const packet of packets) await new Promise((resolve) => socket.write(packet, resolve))
  return await all
}

function parse(text: string) {
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    body: (body.startsWith('{') ? JSON.parse(body) : body) as Record<string, unknown>,
  }
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n'
const POST = 'POST /p HTTP/1.1\r\nHost: x\r\n'
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`
const PAGE = 'Origin: https://page.example\r\n'

describe('a request that cannot be read', () => {
  it.each<[string, string | Buffer, number, string]>([
    ['a header that is too large', `${GET}${PAGE}X: ${'y'.repeat(9_000)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['a URL that is too long', `GET /${'y'.repeat(9_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['too many headers', `${GET}${'x: y\r\n'.repeat(5_000)}\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['an unknown method', 'FOO / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    ['no method', '/ HTTP/1.1\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    ['a space in its URL', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    ['control characters in a header', `${GET}X: a\u0000b\r\n\r\n`, 400, 'MALFORMED_REQUEST'],
    ['a header without a name', `${GET}: y\r\n\r\n`, 400, 'MALFORMED_REQUEST'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    ['two lengths', `${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400, 'MALFORMED_REQUEST'],
    ['a length and chunks', `${POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400, 'MALFORMED_REQUEST'],
    ['a negative length', `${POST}Content-Length: -1\r\n\r\n`, 400, 'MALFORMED_REQUEST'],
    ['a broken chunk', `${CHUNKED}xyz\r\n`, 400, 'MALFORMED_REQUEST'],
    ['chunk extensions that are too large', `${CHUNKED}1;${'e'.repeat(20_000)}\r\na\r\n`, 413, 'BODY_TOO_LARGE'],
    ['an unknown expectation', `${POST}Expect: tea\r\nContent-Length: 0\r\n\r\n`, 417, 'EXPECTATION_FAILED'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, 'HTTP_VERSION_UNSUPPORTED'],
    ['HTTP/3.7', 'GET / HTTP/3.7\r\nHost: x\r\n\r\n', 505, 'HTTP_VERSION_UNSUPPORTED'],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex'), 400, 'MALFORMED_REQUEST'],
    ['CONNECT', 'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
    ['headers that do not end', `${GET}X: y`, 408, 'REQUEST_TIMEOUT'],
    ['a body that does not come', `${POST}Content-Length: 5\r\n\r\nhe`, 408, 'REQUEST_TIMEOUT'],
  ])('because of %s gets a problem document and ends its connection', async (_what, bytes, status, code) => {
    const answer = parse(await send(bytes))
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(answer.body).toMatchObject({
      status,
      title: expect.stringMatching(/^(?!Error$)/),
      detail: expect.any(String),
    })
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'content-length': String(JSON.stringify(answer.body).length),
      'x-request-id': answer.body.request_id,
      'cache-control': 'no-store',
      connection: 'close',
      'x-safe': 'yes',
    })
    const text = await metrics.expose()
    expect(text).toContain(`millrace_http_malformed_requests_total{status="${status}",service="test"} 1`)
    logger.flush()
    expect(log).toContain(`"code":"${code}"`)
  })

  it.each([
    ['is in the bytes that could not be parsed', [`${GET}${PAGE}X: ${'y'.repeat(9_000)}\r\n\r\n`]],
    ['ends these bytes', [`${GET}X y\r\n${PAGE}`]],
    ['is the one of the request whose body is broken', [`${POST}${PAGE}Transfer-Encoding: chunked\r\n\r\n`, 'xyz\r\n']],
    ['is the one of the request whose body does not come', [`${POST}${PAGE}Content-Length: 5\r\n\r\nhe`]],
    ['is the one of the request without a Host', [`GET / HTTP/1.1\r\n${PAGE}\r\n`]],
  ])('can be read by a web page when its origin %s', async (_where, packets) => {
    const { headers } = parse(await send(...packets))
    expect(headers['access-control-allow-origin']).toBe('https://page.example')
  })

  it('is not allowed to name an origin in its body', async () => {
    const { status, headers } = parse(await send(CHUNKED, `\r\n${PAGE}`))
    expect([status, headers['access-control-allow-origin']]).toEqual([400, undefined])
  })

  it('is answered after the request before it on the same connection', async () => {
    isSlow = true
    const socket = open()
    const all = readAll(socket)
    socket.write(`${GET}\r\nnonsense\r\n\r\n`)
    await waitFor(() => waiting.length === 1)
    socket.write('more nonsense')
    waiting[0]?.end('first')
    const text = await all
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(2)
    expect(parse(text.slice(text.indexOf('HTTP/1.1 400'))).body.code).toBe('MALFORMED_REQUEST')
    expect(handled).toEqual(['GET /'])
  })

  it('does not get a second response when the response to it has begun', async () => {
    isSlow = true
    const socket = open()
    const all = readAll(socket)
    socket.write(CHUNKED)
    await waitFor(() => waiting.length === 1)
    waiting[0]?.write('begun')
    await waitFor(() => socket.bytesRead > 0)
    socket.write('xyz\r\n')
    expect((await all).match(/HTTP\/1\.1/g)).toHaveLength(1)
  })

  it('does not keep the server from answering others, however many there are', async () => {
    await Promise.all(Array.from({ length: 200 }, () => send('nonsense\r\n\r\n')))
    const answer = request({ port: (server.address() as AddressInfo).port, agent: false }).end()
    const [response] = (await once(answer, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    response.resume()
  })

  it('gets its response although it goes on sending', async () => {
    const socket = open()
    const all = readAll(socket)
    const more = Buffer.alloc(65_536, 'y')
    socket.write(`${GET}X: `)
    for (let i = 0; i < 20; i++) socket.write(more)
    expect(parse(await all).status).toBe(431)
  })
})

describe('a request that can be read', () => {
  it.each([
    ['HTTP/1.0 without a Host', 'GET / HTTP/1.0\r\n\r\n'],
    ['the expectation 100-continue', `${POST}Expect: 100-continue\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`],
    ['an offer to upgrade', `${GET}Connection: upgrade, close\r\nUpgrade: h2c\r\n\r\n`],
    ['2,500 headers below the size limit', `${GET}${'a:\r\n'.repeat(2_500)}Connection: close\r\n\r\n`],
  ])('with %s reaches the handler', async (_what, bytes) => {
    expect(await send(bytes)).toContain('handled')
  })
})
