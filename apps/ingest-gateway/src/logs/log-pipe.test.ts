import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Cors, ResponseWriter } from '@millrace/http-intake'
import { silentLogger } from '@millrace/logger'
import { createLogPipe, type LogPipe } from './log-pipe.js'

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

beforeEach(async () => {
  observed = []
  shipper = createServer((req, res) => answer(req, res))
  pipe = createLogPipe(
    { url: await listen(shipper) },
    {
      responses: new ResponseWriter(new Cors({ origins: [] }), []),
      metrics: { observe: (labels) => observed.push(labels) },
      logger: silentLogger,
    },
  )
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
})
