import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buildClient, type Client, type ClientOptions } from '../src/create-client.js'

export type Reply = (req: IncomingMessage, res: ServerResponse) => void

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server that answers each request as the test says, and a client of it whose pauses last no time and are noted. */
export interface FakeGateway {
  readonly url: string
  readonly asked: Asked[]
  readonly pauses: number[]
  readonly client: Client
  clientWith(options: Partial<ClientOptions>): Client
  /** The answers to come, one a request; the last one stays. */
  reply(...replies: Reply[]): void
  close(): Promise<void>
}

export const json =
  (body: unknown, { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {}): Reply =>
  (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers })
    res.end(status === 304 ? undefined : JSON.stringify(body))
  }

export const problem = (status: number, code: string, headers: Record<string, string> = {}): Reply =>
  json(
    { status, code, detail: `because of ${code}`, retryable: status >= 429, request_id: 'r1', details: { a: 1 } },
    { status, headers },
  )

export async function startFakeGateway(): Promise<FakeGateway> {
  const asked: Asked[] = []
  const pauses: number[] = []
  let replies: Reply[] = []
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += String(chunk)
    asked.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, body })
    const reply = replies.length > 1 ? replies.shift() : replies[0]
    reply?.(req, res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clientWith = (options: Partial<ClientOptions>): Client =>
    buildClient(
      { url, key: 'k', ...options },
      {
        fetch: (input, init) => fetch(input, init),
        random: () => 1,
        pause: async (ms, signal) => {
          signal.throwIfAborted()
          pauses.push(ms)
        },
      },
    )
  return {
    url,
    asked,
    pauses,
    client: clientWith({}),
    clientWith,
    reply: (...list) => {
      replies = list
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
