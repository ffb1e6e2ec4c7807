import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Cors, ResponseWriter } from '@millrace/http-intake'
import { silentLogger } from '@millrace/logger'
import { waitFor } from '@millrace/testing'
import { createLogPipe, type LogPipe } from './log-pipe.js'

/** Reached only by what is broken. */
const TIMEOUT_MS = 60_000
const IN_PROGRESS_MAX = 8

let shipper: Server
let gateway: Server
let pipe: LogPipe
let origin: string
let answer: (req: IncomingMessage, res: ServerResponse) => void
let observed: { route: string; status: string }[]

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

let shipperUrl: string

function openPipe(timeoutMs: number): LogPipe {
  return createLogPipe(
    { url: shipperUrl, timeoutMs, inProgressMax: IN_PROGRESS_MAX },
    {
      responses: new ResponseWriter(new Cors({ origins: [] }), []),
      metrics: { observe: (labels) => observed.push(labels) },
      logger: silentLogger,
    },
  )
}

function limitTimeTo(timeoutMs: number): void {
  pipe.close()
  pipe = openPipe(timeoutMs)
}

beforeEach(async () => {
  observed = []
  shipper = createServer((req, res) => answer(req, res))
  shipperUrl = await listen(shipper)
  pipe = openPipe(TIMEOUT_MS)
  gateway = createServer((req, res) => {
    if (!pipe.handle(req, res)) res.writeHead(404).end()
  })
  origin = await listen(gateway)
})

afterEach(async () => {
  pipe.close()
  for (const server of [gateway, shipper]) {
    server.closeAllConnections()
    server.close()
  }
})

describe('the pipe to log-shipper', () => {
  it('passes the request with its headers and bytes on, and the response back', async () => {
    answer = async (req, res) => {
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk as Buffer)
      const { authorization, 'content-encoding': encoding } = req.headers
      res.writeHead(202, { 'X-Own': 'a' })
      res.end(JSON.stringify([req.method, req.url, authorization, encoding, Buffer.concat(chunks).toString()]))
    }
    const response = await fetch(`${origin}/index/_bulk?refresh=1`, {
      method: 'PUT',
      headers: { authorization: 'Bearer w', 'content-encoding': 'x' },
      body: 'bytes',
    })
    expect([response.status, response.headers.get('x-own')]).toEqual([202, 'a'])
    expect(await response.json()).toEqual(['PUT', '/index/_bulk?refresh=1', 'Bearer w', 'x', 'bytes'])
    expect(observed).toMatchObject([{ route: 'log wires', status: '202' }])
  })

  it('leaves every other path to the gateway', async () => {
    for (const path of ['/v1/events', '/v1/logs/other', '/a/b/_bulk', '/'])
      expect((await fetch(`${origin}${path}`, { method: 'POST' })).status).toBe(404)
  })

  it('answers 503 with Retry-After while log-shipper cannot be reached', async () => {
    shipper.close()
    const response = await fetch(`${origin}/v1/logs`, { method: 'POST', body: '{}' })
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await response.json()).toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' })
  })

  it('answers 503 when log-shipper dies in the middle of a request', async () => {
    answer = (req) => req.socket.destroy()
    expect((await fetch(`${origin}/v1/logs`, { method: 'POST', body: '{}' })).status).toBe(503)
  })

  it('answers 503 when log-shipper takes the request and does not answer, and when it does not even read it', async () => {
    limitTimeTo(300)
    answer = (req) => req.resume()
    expect((await fetch(`${origin}/v1/logs`, { method: 'POST', body: '{}' })).status).toBe(503)
    answer = () => {}
    // Larger than what the buffers of the connections hold.
    const body = new Uint8Array(16 * 1_048_576)
    expect((await fetch(`${origin}/v1/logs`, { method: 'POST', body })).status).toBe(503)
  })

  it('does not take a client that is slow for a log-shipper that is', async () => {
    const timeoutMs = 1_000
    limitTimeTo(timeoutMs)
    answer = (req, res) => req.resume().once('end', () => res.end('taken'))
    const sent = request(`${origin}/v1/logs`, { method: 'POST' })
    sent.write('a')
    await setTimeout(timeoutMs * 2)
    sent.end('b')
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    response.resume()
  })

  it('refuses at once what is beyond the number of requests in progress', async () => {
    const release: (() => void)[] = []
    answer = (req, res) => {
      req.resume()
      release.push(() => res.end())
    }
    const send = () => fetch(`${origin}/v1/logs`, { method: 'POST', body: '{}' })
    const first = Array.from({ length: IN_PROGRESS_MAX }, send)
    await waitFor(() => release.length >= IN_PROGRESS_MAX)
    expect((await send()).status).toBe(503)
    for (const end of release) end()
    expect(new Set((await Promise.all(first)).map(({ status }) => status))).toEqual(new Set([200]))
    answer = (_req, res) => res.end()
    expect((await send()).status).toBe(200)
  })

  it.each([
    '/v1/logs/ndjson',
    '/elasticsearch',
    '/elasticsearch/',
    '/elasticsearch/_bulk',
    '/elasticsearch/a/_bulk',
    '//a//_bulk',
    '/_license',
    '/_ilm/policy/x',
    '/loki/api/v1/push/',
    '/api/prom/push',
    '/api/v2/logs?ddtags=a:b',
    '/v1/input/mr_key',
    '/services/collector',
    '/services/collector/raw?source=x',
    '/gelf',
  ])('passes %s on', async (path) => {
    answer = (req, res) => res.end(req.url)
    expect(await (await fetch(`${origin}${path}`)).text()).toBe(path)
  })
})
