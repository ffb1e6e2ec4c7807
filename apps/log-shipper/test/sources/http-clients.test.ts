import { gzipSync } from 'node:zlib'
import { Client } from '@elastic/elasticsearch'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { OTLPLogExporter as JsonExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as ProtobufExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import winston from 'winston'
import LokiTransport from 'winston-loki'
import { type StreamedRecord, startShipper, type TestShipper } from '../start-shipper.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const TIME: [number, number] = [1_764_499_999, 123_456_789]

const of = (service: string) => (record: StreamedRecord) => record.service === service

describe('log-shipper', () => {
  let shipper: TestShipper

  beforeAll(async () => {
    shipper = await startShipper()
  })
  afterAll(() => shipper?.stop())

  describe('the OpenTelemetry SDK for logs, unmodified', () => {
    it.each([
      ['protobuf', ProtobufExporter, 'none'],
      ['protobuf with gzip', ProtobufExporter, 'gzip'],
      ['JSON', JsonExporter, 'none'],
      ['JSON with gzip', JsonExporter, 'gzip'],
    ] as const)('delivers every record by %s', async (name, Exporter, compression) => {
      const service = `otlp ${name}`
      const exporter = new Exporter({
        url: `${shipper.origin}/v1/logs`,
        headers: { authorization: `Bearer ${shipper.key}` },
        compression: compression as never,
      })
      const processor = new BatchLogRecordProcessor({ exporter, maxExportBatchSize: 100 })
      const provider = new LoggerProvider({
        resource: resourceFromAttributes({ 'service.name': service, 'host.name': 'node-1', 'k8s.pod.name': 'p' }),
        processors: [processor],
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
      expect(new Set(records.map(({ message }) => message)).size).toBe(250)
      expect(records).toHaveLength(250)
      expect(records.find(({ message }) => message === 'line 7')).toMatchObject({
        timeMs: 1_764_499_999_123,
        timeSubNs: 456_789,
        severity: 13,
        severityText: 'warning',
        host: 'node-1',
        attributes: {
          index: 7,
          nested: { list: [1, 'two'], flag: true },
          'resource.k8s.pod.name': 'p',
          'scope.name': 'shop',
          'scope.version': '1.2',
        },
        flags: 0,
      })
    })
  })

  describe('OTLP over HTTP', () => {
    const post = (body: string | Buffer, type: string, key = shipper.key, encoding?: string) =>
      fetch(`${shipper.origin}/v1/logs`, {
        method: 'POST',
        body: new Uint8Array(Buffer.from(body)),
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': type,
          ...(encoding !== undefined && { 'content-encoding': encoding }),
        },
      })

    it('answers in the form of the request, with an empty response when nothing was refused', async () => {
      const json = await post('{"resourceLogs":[]}', 'application/json; charset=utf-8')
      expect([json.status, json.headers.get('content-type'), await json.text()]).toEqual([
        200,
        'application/json',
        '{}',
      ])
      const protobuf = await post(gzipSync(''), 'application/x-protobuf', shipper.key, 'gzip')
      expect([protobuf.status, protobuf.headers.get('content-type'), await protobuf.text()]).toEqual([
        200,
        'application/x-protobuf',
        '',
      ])
    })

    it('reports refused records as a partial success and keeps the others', async () => {
      const logRecords = [{ body: { stringValue: 'kept' } }, { timeUnixNano: 'never' }, 7]
      const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'partial' } }] }
      const response = await post(
        JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }),
        'application/json',
      )
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({
        partialSuccess: {
          rejectedLogRecords: '2',
          errorMessage: expect.stringContaining('record 1: timeUnixNano must be'),
        },
      })
      expect((await shipper.records(1, of('partial'))).map(({ message }) => message)).toEqual(['kept'])
    })

    it.each([
      ['a body that is no JSON', '{', 'application/json', undefined, 400, 3],
      ['another content type', '{}', 'text/plain', undefined, 415, 3],
      ['a wrong key', '{}', 'application/json', 'mr_wrong', 401, 16],
    ])('answers %s with a Status', async (_what, body, type, key, status, code) => {
      const response = await post(body, type, key ?? shipper.key)
      expect(response.status).toBe(status)
      expect(await response.json()).toEqual({ code, message: expect.any(String) })
    })

    it('answers a broken protobuf body with a Status in protobuf', async () => {
      const response = await post(Buffer.from([0x0a, 0x7f]), 'application/x-protobuf')
      expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/x-protobuf'])
      expect(Buffer.from(await response.arrayBuffer()).subarray(0, 2)).toEqual(Buffer.from([0x08, 3]))
    })
  })

  describe('the client of Elasticsearch, unmodified', () => {
    const createClient = () => new Client({ node: shipper.origin, auth: { apiKey: shipper.key }, maxRetries: 0 })

    it('delivers every document of helpers.bulk', async () => {
      const client = createClient()
      const datasource = Array.from({ length: 300 }, (_, index) => ({
        '@timestamp': '2025-11-30T10:53:19.123456789Z',
        message: `line ${index}`,
        log: { level: 'error' },
        service: { name: 'bulk' },
        index,
      }))
      const dropped: unknown[] = []
      const result = await client.helpers.bulk({
        datasource,
        flushBytes: 10_000,
        onDocument: (document) =>
          document.index % 2 === 0
            ? { create: { _index: 'logs-a' } }
            : { index: { _index: 'logs-a', _id: `id-${document.index}` } },
        onDrop: (document) => dropped.push(document),
      })
      expect(dropped).toEqual([])
      expect(result).toMatchObject({ total: 300, successful: 300, failed: 0, aborted: false })
      const records = await shipper.records(300, of('bulk'))
      expect(new Set(records.map(({ message }) => message)).size).toBe(300)
      expect(records.find(({ message }) => message === 'line 7')).toMatchObject({
        timeMs: 1_764_499_999_123,
        timeSubNs: 456_789,
        severity: 17,
        attributes: { index: 7, _index: 'logs-a', _id: 'id-7' },
      })
      await client.close()
    })

    it('learns the status of each item, and only what it asks for', async () => {
      const client = createClient()
      const operations = [
        { index: { _index: 'i', _id: '1' } },
        { message: 'kept', service: { name: 'bulk items' } },
        { delete: { _index: 'i', _id: '2' } },
      ]
      const result = await client.bulk({ operations })
      expect(result).toMatchObject({
        errors: true,
        items: [
          { index: { _index: 'i', _id: '1', status: 201, result: 'created' } },
          { delete: { _index: 'i', _id: '2', status: 400, error: { type: 'illegal_argument_exception' } } },
        ],
      })
      expect(await client.bulk({ operations, filter_path: 'items.*.status,errors' })).toEqual({
        errors: true,
        items: [{ index: { status: 201 } }, { delete: { status: 400 } }],
      })
      await client.close()
    })

    it('finds the server as it expects it, and an error in its form', async () => {
      const client = createClient()
      expect(await client.ping()).toBe(true)
      expect((await client.info()).tagline).toBe('You Know, for Search')
      expect((await client.license.get()).license.status).toBe('active')
      const stranger = new Client({
        node: shipper.origin,
        auth: { username: 'elastic', password: 'mr_wrong' },
        maxRetries: 0,
      })
      await expect(stranger.bulk({ operations: [{ index: {} }, {}] })).rejects.toMatchObject({
        statusCode: 401,
        body: { error: { type: 'security_exception' } },
      })
      await client.close()
      await stranger.close()
    })

    it('may put the key into Basic as the password or the user name, and into an ApiKey with an id', async () => {
      for (const auth of [
        { username: 'elastic', password: shipper.key },
        { username: shipper.key, password: 'x' },
        { apiKey: { id: 'a', api_key: shipper.key } },
        { bearer: shipper.key },
      ]) {
        const client = new Client({ node: shipper.origin, auth: auth as never, maxRetries: 0 })
        expect((await client.info()).name).toBe('millrace')
        await client.close()
      }
    })
  })

  describe('winston-loki, unmodified', () => {
    it.each([
      ['JSON', true, false],
      ['JSON with gzip', true, true],
      ['protobuf with Snappy', false, false],
    ])('delivers every line as %s', async (name, json, gzip) => {
      const service = `loki ${name}`
      const failures: unknown[] = []
      const transport = new LokiTransport({
        host: shipper.origin,
        basicAuth: `user:${shipper.key}`,
        json,
        gzip,
        labels: { service_name: service, pod: 'p-1' },
        batching: true,
        interval: 0.1,
        useWinstonMetaAsLabels: false,
        format: winston.format.json(),
        onConnectionError: (error: unknown) => failures.push(error),
      } as never)
      const logger = winston.createLogger({ transports: [transport] })
      for (let index = 0; index < 100; index++) logger.warn(`line ${index}`, { index })
      const records = await shipper.records(100, of(service))
      await transport.flush()
      logger.close()
      expect(failures).toEqual([])
      expect(records).toHaveLength(100)
      expect(records.find(({ message }) => message.includes('line 7"'))).toMatchObject({
        severity: 13,
        severityText: 'warn',
        attributes: { pod: 'p-1' },
      })
    })
  })

  describe('the push API of Loki', () => {
    const push = (body: unknown) =>
      fetch(`${shipper.origin}/loki/api/v1/push`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${shipper.key}`, 'content-type': 'application/json' },
      })

    it('answers with 204, or with 400 and the reasons when entries were refused, and keeps the others', async () => {
      const stream = { service_name: 'loki refused' }
      const values = [['1764499999123456789', 'kept', { trace_id: TRACE, span_id: SPAN }]]
      expect((await push({ streams: [{ stream, values }] })).status).toBe(204)
      const response = await push({ streams: [{ stream, values: [...values, ['never', 'x']] }] })
      expect(response.status).toBe(400)
      expect(await response.text()).toContain('record 1: the time must be')
      const records = await shipper.records(2, of('loki refused'))
      expect(records[0]).toMatchObject({
        message: 'kept',
        timeMs: 1_764_499_999_123,
        timeSubNs: 456_789,
        traceId: TRACE,
        spanId: SPAN,
      })
    })
  })
})
