import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { hold } from '@millrace/testing'

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

/** `lose-answer`: the server gets the request and answers, but the client sees only that the connection ends. */
export type Handling = 'pass' | 'lose-answer' | 'strip-range' | ((response: ServerResponse) => void)

export interface RecordingProxy {
  readonly port: number
  readonly requests: RecordedRequest[]
  /** Those whose answer was passed on to its end. */
  readonly answered: RecordedRequest[]
  /** Decides about each request. Default: `pass`. */
  handle: (request: RecordedRequest) => Handling
  readonly openConnections: () => Promise<number>
  stop(): Promise<void>
}

/** An HTTP proxy on 127.0.0.1 that passes requests on unchanged, also their Host, so that their signatures stay valid. */
export async function startRecordingProxy(
  targetPort: number,
  { tls }: { readonly tls?: { readonly key: string; readonly cert: string } } = {},
): Promise<RecordingProxy> {
  const requests: RecordedRequest[] = []
  const answered: RecordedRequest[] = []
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const recorded = { method: request.method ?? '', path: request.url ?? '', headers: request.headers }
    requests.push(recorded)
    const handling = proxy.handle(recorded)
    if (typeof handling === 'function') {
      request.resume().on('end', () => handling(response))
      return
    }
    const headers = { ...request.headers }
    if (handling === 'strip-range') delete headers.range
    const target = { host: '127.0.0.1', port: targetPort, method: recorded.method, path: recorded.path, headers }
    const forwarded = sendRequest(target, (found) => {
      if (handling === 'lose-answer') {
        found.resume().on('end', () => request.socket.destroy())
        return
      }
      response.writeHead(found.statusCode ?? 500, found.headers)
      found.pipe(response)
      found.on('error', () => response.destroy())
      response.on('finish', () => answered.push(recorded))
      response.on('close', () => found.destroy())
    })
    forwarded.on('error', () => request.socket.destroy())
    request.pipe(forwarded)
  }
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy: RecordingProxy = {
    port,
    requests,
    answered,
    handle: () => 'pass',
    openConnections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    stop: hold(`recording proxy on port ${port}`, async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    }),
  }
  return proxy
}
