import { connect, type Socket } from 'node:net'

export interface WireResponse {
  status: number
  /** As received, without the status line. */
  headers: string
  body: string
}

/** Seconds of a Retry-After header, or undefined. */
export function retryAfterSeconds(response: WireResponse): number | undefined {
  const value = /^retry-after: *(\d+)/im.exec(response.headers)?.[1]
  return value === undefined ? undefined : Number(value)
}

/**
 * One HTTP/1.1 keep-alive connection over a raw socket, one request at a time. A load generator shares the machine with the stack it measures, and a full
 * HTTP client would use several times as much processor time. It connects at the first request, and again after an error.
 */
export class WireConnection {
  private readonly host: string
  private readonly port: number
  private socket: Socket | undefined
  private received: Buffer[] = []
  private settle: { resolve: (response: WireResponse) => void; reject: (error: Error) => void } | undefined

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.host = hostname
    this.port = Number(port)
  }

  /** Sends a complete request. Rejects when the connection breaks or no complete answer arrives in time. */
  async send(request: Buffer | string, timeoutMs: number): Promise<WireResponse> {
    if (this.settle) throw new Error('another request is in progress on this connection')
    const socket = this.socket ?? this.open()
    const timer = setTimeout(() => this.fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    try {
      return await new Promise<WireResponse>((resolve, reject) => {
        this.settle = { resolve, reject }
        socket.write(request)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Closes the connection; a request in progress is rejected. */
  close(): void {
    this.fail(new Error('the connection was closed'))
  }

  private open(): Socket {
    const socket = connect({ host: this.host, port: this.port, noDelay: true })
    this.socket = socket
    this.received = []
    const isCurrent = () => this.socket === socket
    socket.on('data', (chunk) => {
      if (isCurrent()) this.take(chunk)
    })
    socket.on('error', (error) => {
      if (isCurrent()) this.fail(error)
    })
    socket.on('close', () => {
      if (isCurrent()) this.fail(new Error('the server closed the connection'))
    })
    return socket
  }

  private fail(error: Error): void {
    const { socket, settle } = this
    this.socket = undefined
    this.settle = undefined
    socket?.destroy()
    settle?.reject(error)
  }

  private take(chunk: Buffer): void {
    this.received.push(chunk)
    const bytes = this.received.length === 1 ? chunk : Buffer.concat(this.received)
    this.received = [bytes]
    const response = parseResponse(bytes)
    if (!response || !this.settle) return
    const { resolve } = this.settle
    this.settle = undefined
    this.received = []
    if (/^connection: *close/im.test(response.headers)) {
      this.socket?.destroy()
      this.socket = undefined
    }
    resolve(response)
  }
}

/** Undefined while the answer is incomplete. It understands Content-Length and chunked bodies, which is what a Node server sends. */
export function parseResponse(bytes: Buffer): WireResponse | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const lineEnd = head.indexOf('\r\n')
  const headers = lineEnd < 0 ? '' : head.slice(lineEnd + 2)
  const status = Number(head.slice(9, 12))
  const length = /^content-length: *(\d+)/im.exec(headers)?.[1]
  const bodyStart = headEnd + 4
  if (length !== undefined) {
    const end = bodyStart + Number(length)
    return bytes.length < end ? undefined : { status, headers, body: bytes.toString('utf8', bodyStart, end) }
  }
  if (/^transfer-encoding: *chunked/im.test(headers)) {
    const body = parseChunks(bytes, bodyStart)
    return body === undefined ? undefined : { status, headers, body }
  }
  return { status, headers, body: '' }
}

function parseChunks(bytes: Buffer, start: number): string | undefined {
  const parts: Buffer[] = []
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    const end = lineEnd + 2 + size
    if (bytes.length < end + 2) return undefined
    if (size === 0) return Buffer.concat(parts).toString('utf8')
    parts.push(bytes.subarray(lineEnd + 2, end))
    at = end + 2
  }
}
