import { connect, type Socket } from 'node:net'
import { WireConnection } from '../load/wire-connection.js'
import { forwardAck, frameForward } from './encode-forward.js'
import type { SendTask } from './send-task.js'
import { WIRES } from './wires.js'

const TIMEOUT_MS = 60_000

/** A connection that carries one request at a time. */
export interface Lane {
  /** False when the server asked to wait and took nothing. @throws when it refused the request for good */
  send(body: Buffer, lines: number): Promise<boolean>
  close(): void
}

export function openLane({ wire, url, path, key }: SendTask): Lane {
  return WIRES[wire].isHttp
    ? openHttp(new URL(path, url), { key, contentType: WIRES[wire].contentType })
    : openForward(url)
}

function openHttp(url: URL, { key, contentType }: { key: string; contentType: string }): Lane {
  const connection = new WireConnection(url.origin)
  const head = `POST ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${key}\r\nContent-Type: ${contentType}\r\n`
  return {
    async send(body) {
      const request = Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body])
      const { status, body: text } = await connection.send(request, TIMEOUT_MS)
      if (status === 429 || status === 503) return false
      // Nothing that is sent is refused, so a list of refused lines is a fault too.
      if (status < 200 || status > 299 || /partialSuccess|"errors":true|"rejected":\[\{/.test(text))
        throw new Error(`a request was refused with ${status}: ${text.slice(0, 300)}`)
      return true
    },
    close: () => connection.close(),
  }
}

/** A message for each request, acknowledged by its chunk. */
function openForward(url: string): Lane {
  const { hostname, port } = new URL(url)
  let socket: Socket | undefined
  let sent = 0
  let settle: { resolve: () => void; reject: (error: Error) => void; expected: Buffer } | undefined
  let received = Buffer.alloc(0)
  const open = () => {
    const opened = connect({ host: hostname, port: Number(port), noDelay: true })
    opened.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (settle === undefined || received.length < settle.expected.length) return
      const isAck = received.equals(settle.expected)
      received = Buffer.alloc(0)
      if (isAck) settle.resolve()
      else settle.reject(new Error('the acknowledgement is for another chunk'))
    })
    opened.on('error', (error) => settle?.reject(error))
    opened.on('close', () => settle?.reject(new Error('the server closed the connection')))
    return opened
  }
  const name = `${process.pid}-${Math.random().toString(36).slice(2)}`
  return {
    async send(body, lines) {
      socket ??= open()
      const chunk = `${name}-${sent++}`
      const { before, after } = frameForward({ lines, bytes: body.length }, chunk)
      await new Promise<void>((resolve, reject) => {
        settle = { resolve, reject, expected: forwardAck(chunk) }
        socket?.write(Buffer.concat([before, body, after]))
      })
      return true
    },
    close: () => {
      settle = undefined
      socket?.destroy()
    },
  }
}
