import { once } from 'node:events'
import { connect } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { freePort } from '@millrace/testing'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { bytesField, fixed64Field, varintField } from '../../src/testing/protobuf-fields.js'
import { type StreamedRecord, startShipper, type TestShipper } from '../start-shipper.js'

const TIME: [number, number] = [1_764_499_999, 123_456_789]
const BODY_BYTES_MAX = 1_048_576
const of = (service: string) => (record: StreamedRecord) => record.service === service

describe('OTLP over gRPC', () => {
  let shipper: TestShipper
  let slow: TestShipper
  let port: number
  let slowPort: number

  beforeAll(async () => {
    port = await freePort()
    slowPort = await freePort()
    shipper = await startShipper(() => ({
      OTLP_GRPC_PORT: String(port),
      LOG_BODY_BYTES_MAX: String(BODY_BYTES_MAX),
    }))
    // Takes ten records, then one in a second.
    slow = await startShipper(() => ({
      OTLP_GRPC_PORT: String(slowPort),
      LOG_RATE_LIMIT_LINES_PER_SECOND: '1',
      LOG_RATE_LIMIT_BURST_LINES: '10',
    }))
  })
  afterAll(async () => {
    await shipper?.stop()
    await slow?.stop()
  })

  it.each([
    ['authorization', (key: string) => `Bearer ${key}`, 'none'],
    ['x-api-key', (key: string) => key, 'gzip'],
  ])(
    'delivers every record of the OpenTelemetry SDK, unmodified, with the key in %s',
    async (name, value, compression) => {
      const service = `grpc ${name}`
      // Metadata is a class of grpc-js, which the exporter has; its own environment variables need no such object.
      process.env.OTEL_EXPORTER_OTLP_HEADERS = `${name}=${encodeURIComponent(value(shipper.key))}`
      const exporter = new OTLPLogExporter({ url: `http://127.0.0.1:${port}`, compression: compression as never })
      delete process.env.OTEL_EXPORTER_OTLP_HEADERS
      const provider = new LoggerProvider({
        resource: resourceFromAttributes({ 'service.name': service, 'host.name': 'node-1', 'k8s.pod.name': 'p' }),
        processors: [new BatchLogRecordProcessor({ exporter, maxExportBatchSize: 100 })],
      })
      const logger = provider.getLogger('shop', '1.2')
      for (let index = 0; index < 250; index++)
        logger.emit({
          timestamp: TIME,
          severityNumber: SeverityNumber.WARN,
          severityText: 'warning',
          body: `line ${index}`,
          attributes: { index, nested: { list: [1, 'two'], flag: true } },
        })
      await provider.forceFlush()
      await provider.shutdown()
      const records = await shipper.records(250, of(service))
      expect(records).toHaveLength(250)
      expect(new Set(records.map(({ message }) => message)).size).toBe(250)
      expect(records.find(({ message }) => message === 'line 7')).toMatchObject({
        timeMs: 1_764_499_999_123,
        timeSubNs: 456_789,
        severity: 13,
        severityText: 'warning',
        host: 'node-1',
        attributes: { index: 7, nested: { list: [1, 'two'], flag: true }, 'resource.k8s.pod.name': 'p' },
        flags: 0,
      })
    },
  )

  interface Answer {
    readonly status: string
    readonly message: string
    readonly details: Buffer
    readonly body: Buffer
  }

  /** One call with these bytes as its message, by HTTP/2 alone. */
  async function call(
    target: number,
    message: Buffer,
    headers: Record<string, string>,
    isGzip = false,
  ): Promise<Answer> {
    const session = connect(`http://127.0.0.1:${target}`)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(isGzip && { 'grpc-encoding': 'gzip' }),
      ...headers,
    })
    const prefix = Buffer.alloc(5)
    prefix[0] = isGzip ? 1 : 0
    prefix.writeUInt32BE(message.length, 1)
    stream.end(Buffer.concat([prefix, message]))
    let status: Record<string, string | string[] | undefined> = {}
    stream.on('response', (all) => Object.assign(status, all))
    stream.on('trailers', (all) => {
      status = { ...status, ...all }
    })
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(stream, 'end')
    session.close()
    return {
      status: String(status['grpc-status']),
      message: decodeURIComponent(String(status['grpc-message'] ?? '')),
      details: Buffer.from(String(status['grpc-status-details-bin'] ?? ''), 'base64'),
      body: Buffer.concat(chunks).subarray(5),
    }
  }

  const record = (...fields: Buffer[]) => bytesField(2, Buffer.concat(fields))
  const request = (service: string, records: readonly Buffer[]) => {
    const name = Buffer.concat([bytesField(1, 'service.name'), bytesField(2, bytesField(1, service))])
    return bytesField(
      1,
      Buffer.concat([bytesField(1, bytesField(1, name)), bytesField(2, Buffer.concat([...records]))]),
    )
  }
  const line = record(fixed64Field(1, 1_764_499_999_123_456_789n), bytesField(5, bytesField(1, 'kept')))
  const authorization = () => ({ authorization: `Bearer ${shipper.key}` })

  it('refuses a record that cannot be decoded alone, by partial_success, and sends an empty response otherwise', async () => {
    const broken = record(bytesField(5, Buffer.from([0x0a, 0x7f])))
    const partial = await call(port, request('grpc partial', [line, broken, line]), authorization())
    expect(partial.status).toBe('0')
    expect(partial.body.subarray(0, 1)).toEqual(Buffer.from([0x0a]))
    expect(partial.body.subarray(2, 4)).toEqual(varintField(1, 1n))
    expect(partial.body.toString()).toContain('record 1: not valid protobuf')
    expect(await shipper.records(2, of('grpc partial'))).toHaveLength(2)
    const whole = await call(port, request('grpc whole', [line]), authorization())
    expect([whole.status, whole.body.length]).toEqual(['0', 0])
  })

  it('tells the client when to send a request again that its rate limit refused, by a RetryInfo', async () => {
    const headers = { authorization: `Bearer ${slow.key}` }
    const lines = Array.from({ length: 10 }, () => line)
    expect((await call(slowPort, request('grpc slow', lines), headers)).status).toBe('0')
    const { status, details } = await call(slowPort, request('grpc slow', lines), headers)
    expect(status).toBe('8')
    expect(details.toString()).toContain('type.googleapis.com/google.rpc.RetryInfo')
    const response = await fetch(`${slow.origin}/v1/logs`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(request('grpc slow', lines)),
    })
    expect(response.status).toBe(429)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('refuses for good, without a RetryInfo, what another attempt cannot change', async () => {
    const good = request('grpc refused', [line])
    const cases: [string, string, Answer][] = [
      ['no key', '16', await call(port, good, {})],
      ['an unknown key', '16', await call(port, good, { 'x-api-key': 'mr_nobody' })],
      ['a message that is no request', '3', await call(port, Buffer.from([0x0a, 0x7f]), authorization())],
      ['a message over the limit', '8', await call(port, Buffer.alloc(BODY_BYTES_MAX + 1), authorization())],
      [
        'a message that unpacks to more than the limit',
        '8',
        await call(port, gzipSync(Buffer.alloc(50 * BODY_BYTES_MAX)), authorization(), true),
      ],
    ]
    expect(cases.map(([name, , { status }]) => [name, status])).toEqual(cases.map(([name, status]) => [name, status]))
    for (const [, , { details }] of cases) expect(details).toHaveLength(0)
    expect(await shipper.records(0, of('grpc refused'))).toEqual([])
    // The server goes on.
    expect((await call(port, request('grpc after', [line]), authorization())).status).toBe('0')
  })
})
