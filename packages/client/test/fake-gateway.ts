import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buildClient, type Client, type ClientOptions } from '../src/create-client.js'

export type Reply = (req: IncomingMessage, res: ServerResponse) => void

export interface ReceivedRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server that sends the replies of a test, and a client of it that records its pauses instead of waiting. */
export interface FakeGateway {
  readonly url: string
  readonly requests: ReceivedRequest[]
  readonly pauses: number[]
  readonly client: Client
  clientWith(options: Partial<ClientOptions>): Client
  /** Sets the replies to the next requests, one each. The last one is repeated. */
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
  const requests: ReceivedRequest[] = []
  const pauses: number[] = []
  let replies: Reply[] = []
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += String(chunk)
    requests.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, body })
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
    requests,
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
