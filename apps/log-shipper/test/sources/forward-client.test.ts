import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { EventTime, FluentClient, type FluentClientOptions } from '@fluent-org/logger'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { freePort, waitFor } from '@millrace/testing'
import { decode, encode } from '@msgpack/msgpack'
import { type StreamedRecord, startShipper, type TestShipper } from '../start-shipper.js'

const EVENTS = 200

describe('the Forward protocol', () => {
  let shipper: TestShipper
  let open: TestShipper
  let port: number
  let openPort: number

  beforeAll(async () => {
    port = await freePort()
    openPort = await freePort()
    shipper = await startShipper((key) => ({ FORWARD_API_KEYS: `mr_other,${key}`, FORWARD_PORT: String(port) }))
    open = await startShipper((key) => ({
      FORWARD_API_KEYS: key,
      FORWARD_PORT: String(openPort),
      FORWARD_HANDSHAKE: 'false',
    }))
  })
  afterAll(async () => {
    await shipper?.stop()
    await open?.stop()
  })

  const tagged = (tag: string) => (record: StreamedRecord) => record.attributes['fluent.tag'] === tag

  function createClient(tag: string, options: Partial<FluentClientOptions>) {
    return new FluentClient(tag, {
      ack: { ackTimeout: 60_000 },
      flushInterval: 50,
      socket: { host: '127.0.0.1', port, timeout: 60_000 },
      security: { clientHostname: 'client', sharedKey: shipper.key },
      ...options,
    })
  }

  describe('with @fluent-org/logger, unmodified', () => {
    it.each(['Message', 'Forward', 'PackedForward', 'CompressedPackedForward'] as const)(
      'acknowledges every event of %s mode once it is in the stream',
      async (eventMode) => {
        const tag = `app.${eventMode}`
        const client = createClient(tag, { eventMode, milliseconds: true })
        const sent = Array.from({ length: EVENTS }, (_, index) =>
          client.emit(
            { message: `line ${index}`, level: 'warn', index, nested: { a: [1, 'x'] } },
            new EventTime(1_764_499_999, 123_456_789),
          ),
        )
        // Each promise is resolved by the acknowledgement of the chunk.
        await Promise.all(sent)
        const records = await shipper.records(EVENTS, tagged(tag))
        expect(records).toHaveLength(EVENTS)
        expect(new Set(records.map(({ message }) => message)).size).toBe(EVENTS)
        expect(records.find(({ message }) => message === 'line 7')).toMatchObject({
          timeMs: 1_764_499_999_123,
          timeSubNs: 456_789,
          severity: 13,
          service: tag,
          attributes: { index: 7, nested: { a: [1, 'x'] } },
        })
        await client.disconnect()
      },
    )

    it('takes events without acknowledgement and without a handshake where that is allowed', async () => {
      const client = new FluentClient('plain', { socket: { host: '127.0.0.1', port: openPort } })
      await client.emit({ message: 'one' })
      await client.emit('sub', { message: 'two' })
      const records = await open.records(2)
      const messages = Object.fromEntries(records.map(({ service, message }) => [service, message]))
      expect(messages).toEqual({ plain: 'one', 'plain.sub': 'two' })
      await client.disconnect()
    })
  })

  it('answers a client with an unknown key with a refusal and closes the connection', async () => {
    const ping = encode(['PING', 'client', 'salt', '0'.repeat(128), '', ''])
    const event = encode(['stranger', [[1_764_499_999, { message: 'secret' }]]])
    const socket = connect(port, '127.0.0.1')
    const received: Buffer[] = []
    socket.on('data', (chunk) => received.push(chunk))
    const closed = once(socket, 'close')
    socket.write(Buffer.concat([ping, event]))
    await closed
    expect(Buffer.concat(received).toString('latin1')).toContain('shared_key mismatch')
    expect(await shipper.records(0, tagged('stranger'))).toEqual([])
  })

  /** Sends bytes over a connection of its own, and returns everything that comes back, up to `count` bytes or the end of the connection. */
  async function exchange(pieces: readonly Uint8Array[], count: number): Promise<Buffer> {
    const socket = connect(openPort, '127.0.0.1')
    const received: Buffer[] = []
    socket.on('data', (chunk) => received.push(chunk))
    socket.on('error', () => {})
    const closed = once(socket, 'close')
    for (const piece of pieces) socket.write(piece)
    await waitFor(() => socket.closed || Buffer.concat(received).length >= count, { deadlineMs: 30_000 })
    socket.destroy()
    await closed
    return Buffer.concat(received)
  }

  it('acknowledges a chunk with its name byte for byte, and stores a chunk that is sent again once', async () => {
    const chunk = Buffer.from([0xff, 0x00, 0x80, 0x61])
    const message = Buffer.concat([
      Buffer.from([0x93]),
      encode('again'),
      encode([[1_764_499_999, { message: 'once' }]]),
      Buffer.from([0x81]),
      encode('chunk'),
      Buffer.from([0xa4]),
      chunk,
    ])
    const ack = Buffer.concat([Buffer.from([0x81, 0xa3]), Buffer.from('ack'), Buffer.from([0xa4]), chunk])
    expect(await exchange([message], ack.length)).toEqual(ack)
    expect(await exchange([message, message.subarray(0, 9), message.subarray(9)], ack.length * 2)).toEqual(
      Buffer.concat([ack, ack]),
    )
    expect(await open.records(1, tagged('again'))).toHaveLength(1)
  })

  it('keeps a connection open for nil and closes it for anything that is no message', async () => {
    const good = encode(['after nil', [[1_764_499_999, { message: 'm' }]], { chunk: 'c' }])
    expect(decode(await exchange([Buffer.from([0xc0]), good], 7))).toEqual({ ack: 'c' })
    expect(await exchange([Buffer.from('GET / HTTP/1.1\r\n\r\n')], 1)).toEqual(Buffer.alloc(0))
    expect(await exchange([Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff])], 1)).toEqual(Buffer.alloc(0))
    expect(await exchange([encode(['t', Buffer.from('no gzip'), { compressed: 'gzip', chunk: 'x' }])], 1)).toEqual(
      Buffer.alloc(0),
    )
  })

  it('answers heartbeats by UDP', async () => {
    const socket = createSocket('udp4')
    const answered = once(socket, 'message')
    socket.send(Buffer.from([0]), openPort, '127.0.0.1')
    expect((await answered)[0]).toEqual(Buffer.from([0]))
    socket.close()
  })

  it('acknowledges no event that is not in the stream: after a kill every acknowledged one is there, and events sent again are there', async () => {
    const client = new FluentClient('killed', {
      // A chunk whose acknowledgement was lost with the process is sent again after this time.
      ack: { ackTimeout: 2_000 },
      flushInterval: 5,
      sendQueueIntervalFlushLimit: { length: 5, size: 1e6 },
      socket: { host: '127.0.0.1', port: openPort, reconnect: { minDelay: 50, maxDelay: 200, backoff: 1.1 } },
    })
    const acknowledged = new Set<number>()
    let settled = 0
    const sent = Array.from({ length: EVENTS }, async (_, index) => {
      // Spreads the events over a second, so that the kill comes in the middle of them.
      await new Promise((resolve) => setTimeout(resolve, index * 5))
      await client.emit({ message: `line ${index}`, index }).then(
        () => acknowledged.add(index),
        () => {},
      )
      settled++
    })
    await waitFor(async () => acknowledged.size > 20, { deadlineMs: 60_000 })
    await open.service.kill('SIGKILL')
    await open.service.restart()
    await waitFor(() => settled === EVENTS, { deadlineMs: 90_000 })
    await Promise.all(sent)
    await client.shutdown().catch(() => {})
    const records = await open.records(acknowledged.size, tagged('killed'))
    const stored = new Set(records.map(({ attributes }) => attributes.index))
    expect([...acknowledged].filter((index) => !stored.has(index))).toEqual([])
  })
})
