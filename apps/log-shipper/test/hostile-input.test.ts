import { readFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { freePort } from '@millrace/testing'
import { encode } from '@msgpack/msgpack'
import { LOG_FLAGS } from '../src/records/log-record.js'
import { bytesField } from '../src/testing/protobuf-fields.js'
import { startShipper, type TestShipper } from './start-shipper.js'

const MIB = 1_048_576
const BODY_BYTES_MAX = 8 * MIB
/** What the process may take at most: five times the largest body for each of a few requests at a time, beside what it has when idle. */
const MEMORY_BYTES_MAX = 700 * MIB
const SLOW_MS = 2_000
/** 200 MiB of spaces as 200 KiB. */
const BOMB = gzipSync(Buffer.alloc(200 * MIB, ' '))

/** How a wire over HTTP writes one line with a message and further fields, and the part of a line that may be nested. */
interface HttpWire {
  readonly path: string
  readonly type: string
  readonly write: (message: string, fields?: Record<string, unknown>) => string | Buffer
  /** Of a request that was taken. */
  readonly taken: number
}

const json = (value: unknown) => JSON.stringify(value)
const text = (value: string) => bytesField(1, value)
const keyValue = (key: string, value: string) => Buffer.concat([bytesField(1, key), bytesField(2, text(value))])

function otlpProtobuf(message: string, fields: Record<string, unknown> = {}): Buffer {
  const attributes = Object.entries(fields).map(([key, value]) => bytesField(6, keyValue(key, String(value))))
  const record = Buffer.concat([bytesField(5, text(message)), ...attributes])
  return bytesField(1, bytesField(2, bytesField(2, record)))
}

const HTTP_WIRES: Record<string, HttpWire> = {
  'OTLP in protobuf': { path: '/v1/logs', type: 'application/x-protobuf', taken: 200, write: otlpProtobuf },
  'OTLP in JSON': {
    path: '/v1/logs',
    type: 'application/json',
    taken: 200,
    write: (message, fields = {}) => {
      const attributes = Object.entries(fields).map(([key, value]) => ({ key, value: { stringValue: String(value) } }))
      return json({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: message }, attributes }] }] }] })
    },
  },
  NDJSON: {
    path: '/v1/logs/ndjson',
    type: 'application/x-ndjson',
    taken: 200,
    write: (message, fields) => json({ message, ...fields }),
  },
  Elasticsearch: {
    path: '/_bulk',
    type: 'application/x-ndjson',
    taken: 200,
    write: (message, fields) => `{"create":{}}\n${json({ message, ...fields })}\n`,
  },
  Loki: {
    path: '/loki/api/v1/push',
    type: 'application/json',
    taken: 204,
    write: (message, fields = {}) => {
      const metadata = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, String(value)]))
      return json({ streams: [{ stream: { a: 'b' }, values: [['1764499999123456789', message, metadata]] }] })
    },
  },
  Datadog: {
    path: '/api/v2/logs',
    type: 'application/json',
    taken: 202,
    write: (message, fields) => json([{ message, ...fields }]),
  },
  Splunk: {
    path: '/services/collector',
    type: 'application/json',
    taken: 200,
    write: (message, fields = {}) => json({ event: message, fields }),
  },
  GELF: {
    path: '/gelf',
    type: 'application/json',
    taken: 202,
    write: (message, fields) => json({ version: '1.1', host: 'h', short_message: message, ...fields }),
  },
}

describe('log-shipper', () => {
  let shipper: TestShipper
  /** Messages of lines that must be stored; read at the end, since each reading reads everything. */
  const unharmed: string[] = []
  const ports = { grpc: 0, forward: 0, syslog: 0, gelf: 0 }

  beforeAll(async () => {
    for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort()
    shipper = await startShipper((key) => ({
      LOG_BODY_BYTES_MAX: String(BODY_BYTES_MAX),
      HTTP_REQUEST_TIMEOUT_MS: String(SLOW_MS),
      HTTP_HEADERS_TIMEOUT_MS: String(SLOW_MS),
      OTLP_GRPC_PORT: String(ports.grpc),
      FORWARD_API_KEYS: key,
      FORWARD_PORT: String(ports.forward),
      FORWARD_HANDSHAKE: 'false',
      SYSLOG_API_KEY: key,
      SYSLOG_PORT: String(ports.syslog),
      GELF_API_KEY: key,
      GELF_PORT: String(ports.gelf),
    }))
  })
  afterAll(() => shipper?.stop())

  /** The most memory that the process has had. */
  function peakBytes(): number {
    const status = readFileSync(`/proc/${shipper.service.pid}/status`, 'utf8')
    return Number(/VmHWM:\s*(\d+)/.exec(status)?.[1]) * 1024
  }

  async function postTo(wire: HttpWire, body: string | Buffer, encoding?: string): Promise<number> {
    const headers = { authorization: `Bearer ${shipper.key}`, 'content-type': wire.type }
    const response = await fetch(`${shipper.origin}${wire.path}`, {
      method: 'POST',
      body: new Uint8Array(Buffer.from(body)),
      headers: encoding === undefined ? headers : { ...headers, 'content-encoding': encoding },
    })
    await response.arrayBuffer()
    return response.status
  }

  /** Another request of the same wire is taken, while and after the hostile one. */
  async function expectUnharmed({ name, wire }: { name: string; wire: HttpWire }, what: string): Promise<void> {
    const message = `unharmed ${name} ${what}`
    expect(await postTo(wire, wire.write(message))).toBe(wire.taken)
    unharmed.push(message)
    expect(peakBytes()).toBeLessThan(MEMORY_BYTES_MAX)
  }

  /** The head of a request whose body is announced with `length` bytes. */
  const headersOf = ({ path, type }: HttpWire, length: number) =>
    `POST ${path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${shipper.key}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`

  describe.each(Object.entries(HTTP_WIRES))('over %s', (name, wire) => {
    const post = (body: string | Buffer, encoding?: string) => postTo(wire, body, encoding)
    const expectOthersUnharmed = (what: string) => expectUnharmed({ name, wire }, what)

    it('refuses or skips what is cut off or nothing at all, and nothing fails inside', async () => {
      const whole = Buffer.from(wire.write('x'.repeat(200), { a: 1, b: 'two' }))
      for (const body of [
        ...[1, 3, 10, 50, whole.length - 1].map((length) => whole.subarray(0, length)),
        Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01]),
        Buffer.alloc(1000),
        Buffer.from('[[[[{{{{""""'),
      ])
        expect(await post(body)).toBeLessThan(500)
      await expectOthersUnharmed('cut')
    })

    it('refuses a bomb with 413, of one layer and of two', async () => {
      expect(await post(BOMB, 'gzip')).toBe(413)
      expect(await post(gzipSync(Buffer.alloc(6 * MIB, ' ')), 'gzip')).toBe(413)
      expect(await post(gzipSync(BOMB), 'gzip')).toBeLessThan(500)
      await expectOthersUnharmed('bomb')
    })

    it('refuses a record of 100 MB by its announced length, and cuts one of 3 MiB', async () => {
      const socket = connect(shipper.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(headersOf(wire, 100_000_000))
      const answer = await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())))
      socket.destroy()
      expect(answer).toContain(' 413 ')
      const message = `${name} `.repeat(3 * MIB).slice(0, 3 * MIB)
      expect(await post(wire.write(message))).toBe(wire.taken)
      const [cut] = await shipper.records(1, (record) => record.message.startsWith(message.slice(0, 1000)))
      expect(cut?.originalBytes).toBeGreaterThanOrEqual(3 * MIB)
      expect(Buffer.byteLength(cut?.message ?? '')).toBeLessThanOrEqual(MIB)
      expect((cut?.flags ?? 0) & LOG_FLAGS.cut).toBe(LOG_FLAGS.cut)
      await expectOthersUnharmed('large')
    })

    it('keeps 2,000 of 100,000 field names', async () => {
      const fields = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`f${index}`, index]))
      const message = `${name} with fields`
      expect(await post(wire.write(message, fields))).toBe(wire.taken)
      const [record] = await shipper.records(1, (one) => one.message === message)
      expect(Object.keys(record?.attributes ?? {}).length).toBeLessThanOrEqual(2_000)
      expect((record?.flags ?? 0) & LOG_FLAGS.attributesCut).toBe(LOG_FLAGS.attributesCut)
      await expectOthersUnharmed('fields')
    })

    it('takes or refuses what is nested a million times, and nothing fails inside', async () => {
      const open = '[{"a":'.repeat(500_000)
      const whole = wire.write('nested', { n: 'HERE' }).toString()
      const nested = whole.includes('"HERE"') ? whole.replace('"HERE"', `${open}1${'}]'.repeat(500_000)}`) : open
      expect(await post(nested)).toBeLessThan(500)
      await expectOthersUnharmed('nested')
    })
  })

  it('closes the connections of clients that send too slowly, over each HTTP wire, and others are unharmed', async () => {
    const wires = Object.entries(HTTP_WIRES)
    const sockets = wires.map(([, wire]) => {
      const socket = connect(shipper.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(headersOf(wire, 1000))
      socket.write('{')
      return socket
    })
    const dribble = setInterval(() => {
      for (const socket of sockets) socket.write(' ')
    }, 200)
    const answers = Promise.all(sockets.map(readAll))
    for (const [name, wire] of wires) await expectUnharmed({ name, wire }, 'slow')
    for (const [index, answer] of (await answers).entries())
      expect(`${wires[index]?.[0]}: ${answer}`).toContain(' 408 ')
    clearInterval(dribble)
  })

  describe.each([
    ['Forward', 'forward'],
    ['syslog', 'syslog'],
    ['GELF over TCP', 'gelf'],
  ] as const)('over %s', (name, wire) => {
    const good = (message: string): Uint8Array =>
      wire === 'forward'
        ? encode(['hostile', [[1_764_499_999, { message }]]])
        : Buffer.from(wire === 'syslog' ? `<13>1 - h app - - - ${message}\n` : `${json({ short_message: message })}\0`)

    /** Sends pieces until the server closes the connection, or they are sent. */
    async function send(pieces: Iterable<Uint8Array>): Promise<void> {
      const socket = connect(ports[wire], '127.0.0.1')
      let isOpen = true
      const closed = new Promise<void>((resolve) => {
        socket.on('error', () => {})
        socket.once('close', () => {
          isOpen = false
          resolve()
        })
      })
      for (const piece of pieces) {
        if (!isOpen) break
        if (!socket.write(piece))
          await Promise.race([closed, new Promise<void>((resolve) => socket.once('drain', () => resolve()))])
      }
      socket.end()
      await closed
    }

    const zeros = Buffer.alloc(MIB, 'x')
    const header = (bytes: number[]) => Buffer.from(bytes)
    const hostile: [string, () => Iterable<Uint8Array>][] = [
      ['bytes that are nothing', () => [Buffer.from([0xc1, 0xff, 0xfe, 0x00, 0x0a])]],
      ['a message that is cut off', () => [good('cut').subarray(0, 12)]],
      ['a list of 4,294,967,295 entries', () => [header([0x93, 0xa1, 0x74, 0xdd, 0xff, 0xff, 0xff, 0xff, 0x92])]],
      ['a text of 4 GiB', () => [header([0x92, 0xdb, 0xff, 0xff, 0xff, 0xff, 0x61])]],
      ['a map of 4,294,967,295 members', () => [header([0x93, 0xa1, 0x74, 0xdf, 0xff, 0xff, 0xff, 0xff])]],
      ['lists in lists, a million deep', () => [Buffer.alloc(MIB, 0x91)]],
      ['a length of 999,999,999 bytes', () => [Buffer.from('999999999 <13>x')]],
      [
        '100 MB without an end',
        function* () {
          yield header([0x92, 0xdb, 0x06, 0x00, 0x00, 0x00])
          for (let count = 0; count < 100; count++) yield zeros
        },
      ],
      ['a bomb', () => [encode(['t', BOMB, { compressed: 'gzip' }])]],
      [
        '100,000 field names',
        () => {
          const fields = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`f${index}`, index]))
          return wire === 'forward'
            ? [encode(['t', [[1_764_499_999, { message: 'many', ...fields }]]])]
            : [Buffer.from(`${json({ short_message: 'many', ...fields })}\0\n`)]
        },
      ],
    ]

    it.each(hostile)(
      'takes, refuses or closes the connection for %s, and others are unharmed',
      async (what, pieces) => {
        await send(pieces())
        const message = `unharmed ${name} ${what}`
        await send([good(message)])
        unharmed.push(message)
        expect(peakBytes()).toBeLessThan(MEMORY_BYTES_MAX)
      },
    )
  })

  it('refuses hostile calls over OTLP/gRPC with a status, and others are unharmed', async () => {
    const session = connectHttp2(`http://127.0.0.1:${ports.grpc}`)
    session.on('error', () => {})
    const call = (flag: number, announced: number, message: Buffer): Promise<string> =>
      new Promise((resolve) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
          'content-type': 'application/grpc',
          te: 'trailers',
          authorization: `Bearer ${shipper.key}`,
          ...(flag === 1 && { 'grpc-encoding': 'gzip' }),
        })
        let status = ''
        const note = (headers: { readonly [name: string]: string | string[] | undefined }) => {
          if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status'])
        }
        stream.on('response', note)
        stream.on('trailers', note)
        stream.on('error', () => {})
        stream.on('close', () => resolve(status))
        stream.resume()
        const prefix = Buffer.alloc(5)
        prefix[0] = flag
        prefix.writeUInt32BE(announced, 1)
        stream.end(Buffer.concat([prefix, message]))
      })
    expect(await call(0, 0xffff_ffff, Buffer.from('x'))).toBe('8')
    expect(await call(1, BOMB.length, BOMB)).toBe('8')
    expect(['3', '13']).toContain(await call(1, 5, Buffer.from('hello')))
    expect(await call(0, 3, Buffer.from([0x0a, 0xff, 0x7f]))).toBe('3')
    const good = otlpProtobuf('unharmed gRPC')
    expect(await call(0, good.length, good)).toBe('0')
    session.close()
    unharmed.push('unharmed gRPC')
    expect(peakBytes()).toBeLessThan(MEMORY_BYTES_MAX)
  })

  it('has every line of the others once', async () => {
    const records = await shipper.records(unharmed.length, ({ message }) => message.startsWith('unharmed '))
    expect(records.map(({ message }) => message).sort()).toEqual([...unharmed].sort())
  })
})

/** What arrives until the connection is closed. */
async function readAll(socket: Socket): Promise<string> {
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(received).toString()
}
