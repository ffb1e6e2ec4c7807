import { type AddressInfo, createServer, type Socket } from 'node:net'

/** A server that is not what a setting says. */
export interface FakeServer {
  readonly port: number
  close(): Promise<void>
}

/** Starts a server that answers each piece of data by `answer`; undefined is no answer. */
export async function startFakeServer(answer: (data: Buffer) => Buffer | string | undefined): Promise<FakeServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      const reply = answer(data)
      if (reply !== undefined) socket.write(reply)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}

export const startSilentServer = () => startFakeServer(() => undefined)

export const startWebServer = () => startFakeServer(() => 'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n')

/** A Redis of another version or mode, as far as INFO tells. */
export function startFakeRedis(version: string, mode = 'standalone'): Promise<FakeServer> {
  const info = `# Server\r\nredis_version:${version}\r\nredis_mode:${mode}\r\n`
  return startFakeServer((data) => (/info/i.test(data.toString()) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n'))
}

/** A PostgreSQL of another version, as far as one query tells (protocol 3.0). */
export function startFakePostgres(version: string): Promise<FakeServer> {
  return startFakeServer((data) => {
    // The request for TLS, then the start-up message, then the query.
    if (data.length === 8) return 'N'
    if (data[0] === 0) return Buffer.concat([message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))])
    if (data[0] !== 0x51) return undefined
    const values = [version, String(Number.parseInt(version, 10)), 't']
    return Buffer.concat([
      message(
        'T',
        Buffer.concat([
          int16(3),
          ...[
            ['version', 25],
            ['major', 23],
            ['mayCreate', 16],
          ].map(column),
        ]),
      ),
      message('D', Buffer.concat([int16(3), ...values.flatMap((value) => [int32(value.length), Buffer.from(value)])])),
      message('C', Buffer.from('SELECT 1\0')),
      message('Z', Buffer.from('I')),
    ])
  })
}

function column([name, type]: (string | number)[]): Buffer {
  return Buffer.concat([
    Buffer.from(`${name}\0`),
    int32(0),
    int16(0),
    int32(Number(type)),
    int16(-1),
    int32(-1),
    int16(0),
  ])
}

function message(kind: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(kind), int32(body.length + 4), body])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}
