import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { client as datadog, v2 } from '@datadog/datadog-api-client'
import { Client as Elasticsearch } from '@elastic/elasticsearch'
import { EventTime, FluentClient } from '@fluent-org/logger'
import { encode } from '@msgpack/msgpack'
import { OTLPLogExporter as GrpcExporter } from '@opentelemetry/exporter-logs-otlp-grpc'
import { OTLPLogExporter as JsonExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as ProtobufExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs'
import { compress } from 'snappy'
import { bytesField, fixed64Field, varintField } from '../../src/testing/protobuf-fields.js'
import { type DifficultValue, TIME_NS } from './values.js'

// The packages have no types that fit.
const require = createRequire(import.meta.url)
const gelf = require('gelf-pro')
const syslog = require('syslog-client')

/** Where the wires listen, and the key for all of them. */
export interface Target {
  readonly origin: string
  readonly key: string
  readonly ports: { readonly grpc: number; readonly forward: number; readonly syslog: number; readonly gelf: number }
}

/** What a client in JavaScript is given. */
type Given = NonNullable<DifficultValue['js']>

/** One wire: by its client where that can be given the value, or else as bytes. Both reject when the line is refused. */
export interface FidelityWire {
  readonly name: string
  /** Name of the client. */
  readonly client?: string
  readonly byClient?: (given: Given, service: string, target: Target) => Promise<void>
  /** Undefined when the wire cannot express the value. */
  readonly asBytes: (value: DifficultValue, service: string, target: Target) => Promise<void> | undefined
}

const SECONDS = Number(TIME_NS / 1_000_000_000n)
const NANOS = Number(TIME_NS % 1_000_000_000n)
const SECONDS_TEXT = `${SECONDS}.${NANOS}`
const ISO = '2025-11-30T10:53:19.123456789Z'

/** The message as it stands between the quotes of JSON. */
function jsonMessage({ bytes, js }: DifficultValue): Buffer {
  return bytes ?? Buffer.from(JSON.stringify(js?.message ?? 'm').slice(1, -1))
}

const messageBytes = ({ bytes, js }: DifficultValue): Buffer => bytes ?? Buffer.from(js?.message ?? 'm')
/** Whether a value is one of the message or the time alone. */
const isOfMessage = ({ bytes, js }: DifficultValue) =>
  bytes !== undefined || (js?.attributes === undefined && js !== undefined)

async function post({ origin, key }: Target, path: string, body: Buffer, type: string): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': type }
  const response = await fetch(`${origin}${path}`, { method: 'POST', headers, body: new Uint8Array(body) })
  const text = await response.text()
  const isPartial = /"rejected":\[\{|"errors":(true|\[)|partialSuccess/.test(text)
  if (!response.ok || isPartial) throw new Error(`refused with ${response.status}: ${text.slice(0, 200)}`)
}

/** A wire whose lines are JSON objects. `before` and `after` stand around the message, `members` comes behind a comma. */
function jsonBody(
  value: DifficultValue,
  [before, after]: readonly [string, string],
  members: string | undefined,
  end = '}',
) {
  const more = members === undefined ? '' : `,${members}`
  return Buffer.concat([Buffer.from(before), jsonMessage(value), Buffer.from(`${after}${more}${end}`)])
}

const hasForm = (value: DifficultValue, form: 'json' | 'otlpJson' | 'otlp' | 'pairs' | 'msgpack') =>
  value[form] !== undefined || isOfMessage(value)

// OTLP

type Exporter = ConstructorParameters<typeof SimpleLogRecordProcessor>[0] extends infer T ? T : never

async function exportBy(exporter: unknown, { message, attributes = {} }: Given, service: string): Promise<void> {
  const failures: unknown[] = []
  const target = exporter as { export: (...args: unknown[]) => void }
  const original = target.export.bind(target)
  // The processor tells nobody why an export failed.
  target.export = (records, done) =>
    original(records, (result: { error?: unknown }) => {
      if (result.error !== undefined) failures.push(result.error)
      ;(done as (result: unknown) => void)(result)
    })
  const processor = new SimpleLogRecordProcessor({ exporter } as Exporter as never)
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    processors: [processor],
  })
  provider.getLogger('fidelity').emit({ timestamp: [SECONDS, NANOS], body: message, attributes: attributes as never })
  await provider.forceFlush()
  await provider.shutdown()
  if (failures.length > 0) throw failures[0]
}

function otlpRequest(value: DifficultValue, service: string): Buffer {
  const name = Buffer.concat([bytesField(1, 'service.name'), bytesField(2, bytesField(1, service))])
  const attributes = (value.otlp ?? []).map((attribute) => bytesField(6, attribute))
  const body = bytesField(5, bytesField(1, messageBytes(value)))
  const record = Buffer.concat([fixed64Field(1, TIME_NS), body, ...attributes])
  return bytesField(1, Buffer.concat([bytesField(1, bytesField(1, name)), bytesField(2, bytesField(2, record))]))
}

async function callGrpc({ ports, key }: Target, message: Buffer): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${ports.grpc}`)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${key}`,
  })
  let status = ''
  const note = (headers: { readonly [name: string]: string | string[] | undefined }) => {
    if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status'])
  }
  stream.on('response', note).on('trailers', note)
  const answer: Buffer[] = []
  stream.on('data', (chunk: Buffer) => answer.push(chunk))
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  stream.end(Buffer.concat([prefix, message]))
  await once(stream, 'close')
  session.close()
  if (status !== '0' || Buffer.concat(answer).length > 5) throw new Error(`refused with the gRPC status ${status}`)
}

// Sockets

async function sendTcp(port: number, bytes: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.end(bytes)
  socket.resume()
  await once(socket, 'close')
}

async function sendUdp(port: number, bytes: Buffer): Promise<void> {
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) =>
      socket.send(bytes, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    )
  } finally {
    socket.close()
  }
}

const gelfBody = (value: DifficultValue, service: string) =>
  jsonBody(
    value,
    [`{"version":"1.1","host":"h","timestamp":${SECONDS_TEXT},"_service":"${service}","short_message":"`, '"'],
    value.json,
  )

/** gelf-pro takes the time in seconds; a double of seconds has no nanoseconds. */
const gelfBy =
  (adapterName: string) =>
  async ({ message, attributes = {} }: Given, service: string, { ports }: Target) => {
    const log = gelf.setConfig({ adapterName, adapterOptions: { host: '127.0.0.1', port: ports.gelf }, fields: {} })
    await new Promise<void>((resolve, reject) =>
      log.info(message, { ...attributes, service, timestamp: Number(SECONDS_TEXT) }, (error: unknown) =>
        error ? reject(error) : resolve(),
      ),
    )
  }

// Forward

function forwardMessage(value: DifficultValue, service: string): Buffer {
  const message = messageBytes(value)
  const header = Buffer.alloc(5)
  header[0] = 0xdb
  header.writeUInt32BE(message.length, 1)
  const members = value.msgpack ?? []
  const map = Buffer.concat([
    Buffer.from([0x82 + members.length]),
    Buffer.from(encode('service')),
    Buffer.from(encode(service)),
    Buffer.from(encode('message')),
    header,
    message,
    ...members,
  ])
  const time = Buffer.alloc(10)
  time.writeUInt16BE(0xd700)
  time.writeUInt32BE(SECONDS, 2)
  time.writeUInt32BE(NANOS, 6)
  return Buffer.concat([Buffer.from([0x93]), Buffer.from(encode('fidelity')), time, map])
}

const pairsOfLabels = (value: DifficultValue) =>
  (value.pairs ?? []).map(([name, text]) => `"${name}":"${text}"`).join(',')

export const FIDELITY_WIRES: readonly FidelityWire[] = [
  {
    name: 'OTLP/HTTP, protobuf',
    client: '@opentelemetry/exporter-logs-otlp-proto',
    byClient: (given, service, { origin, key }) =>
      exportBy(new ProtobufExporter({ url: `${origin}/v1/logs`, headers: { 'x-api-key': key } }), given, service),
    asBytes: (value, service, target) =>
      hasForm(value, 'otlp')
        ? post(target, '/v1/logs', otlpRequest(value, service), 'application/x-protobuf')
        : undefined,
  },
  {
    name: 'OTLP/HTTP, JSON',
    client: '@opentelemetry/exporter-logs-otlp-http',
    byClient: (given, service, { origin, key }) =>
      exportBy(new JsonExporter({ url: `${origin}/v1/logs`, headers: { 'x-api-key': key } }), given, service),
    asBytes: (value, service, target) => {
      if (!hasForm(value, 'otlpJson')) return undefined
      const resource = `{"attributes":[{"key":"service.name","value":{"stringValue":"${service}"}}]}`
      const start = `{"resourceLogs":[{"resource":${resource},"scopeLogs":[{"logRecords":[{"timeUnixNano":"${TIME_NS}","body":{"stringValue":"`
      const end = `"},"attributes":[${value.otlpJson ?? ''}]}]}]}]}`
      return post(target, '/v1/logs', jsonBody(value, [start, end], undefined, ''), 'application/json')
    },
  },
  {
    name: 'OTLP/gRPC',
    client: '@opentelemetry/exporter-logs-otlp-grpc',
    byClient: async (given, service, { ports, key }) => {
      process.env.OTEL_EXPORTER_OTLP_HEADERS = `x-api-key=${key}`
      const exporter = new GrpcExporter({ url: `http://127.0.0.1:${ports.grpc}` })
      delete process.env.OTEL_EXPORTER_OTLP_HEADERS
      await exportBy(exporter, given, service)
    },
    asBytes: (value, service, target) =>
      hasForm(value, 'otlp') ? callGrpc(target, otlpRequest(value, service)) : undefined,
  },
  {
    name: 'NDJSON',
    asBytes: (value, service, target) =>
      hasForm(value, 'json')
        ? post(
            target,
            '/v1/logs/ndjson',
            jsonBody(value, [`{"time":"${ISO}","service":"${service}","message":"`, '"'], value.json),
            'application/x-ndjson',
          )
        : undefined,
  },
  {
    name: 'Elasticsearch',
    client: '@elastic/elasticsearch',
    byClient: async ({ message, attributes = {} }, service, { origin, key }) => {
      const client = new Elasticsearch({ node: origin, auth: { apiKey: key }, maxRetries: 0 })
      const document = { '@timestamp': ISO, service: { name: service }, message, ...attributes }
      try {
        const { errors } = await client.bulk({ operations: [{ create: { _index: 'logs' } }, document] })
        if (errors) throw new Error('refused')
      } finally {
        await client.close()
      }
    },
    asBytes: (value, service, target) => {
      if (!hasForm(value, 'json')) return undefined
      const start = `{"create":{}}\n{"@timestamp":"${ISO}","service.name":"${service}","message":"`
      return post(target, '/_bulk', jsonBody(value, [start, '"'], value.json, '}\n'), 'application/x-ndjson')
    },
  },
  {
    name: 'Loki, JSON',
    asBytes: (value, service, target) => {
      if (!hasForm(value, 'pairs')) return undefined
      const start = `{"streams":[{"stream":{"service_name":"${service}"},"values":[["${TIME_NS}","`
      const body = jsonBody(value, [start, `",{${pairsOfLabels(value)}}]]}]}`], undefined, '')
      return post(target, '/loki/api/v1/push', body, 'application/json')
    },
  },
  {
    name: 'Loki, protobuf',
    asBytes: (value, service, target) => {
      if (!hasForm(value, 'pairs')) return undefined
      const time = Buffer.concat([varintField(1, BigInt(SECONDS)), varintField(2, BigInt(NANOS))])
      const metadata = (value.pairs ?? []).map(([name, text]) =>
        bytesField(3, Buffer.concat([bytesField(1, name), bytesField(2, text)])),
      )
      const entry = Buffer.concat([bytesField(1, time), bytesField(2, messageBytes(value)), ...metadata])
      const stream = Buffer.concat([bytesField(1, `{service_name="${service}"}`), bytesField(2, entry)])
      return compress(bytesField(1, stream)).then((body) =>
        post(target, '/loki/api/v1/push', body, 'application/x-protobuf'),
      )
    },
  },
  {
    name: 'Datadog',
    client: '@datadog/datadog-api-client',
    byClient: async ({ message, attributes = {} }, service, { origin, key }) => {
      const baseServer = new datadog.BaseServerConfiguration(origin, {})
      const api = new v2.LogsApi(datadog.createConfiguration({ baseServer, authMethods: { apiKeyAuth: key } }))
      const additionalProperties = { ...attributes, timestamp: ISO } as Record<string, string>
      await api.submitLog({ body: [{ message, service, additionalProperties }] })
    },
    asBytes: (value, service, target) =>
      hasForm(value, 'json')
        ? post(
            target,
            '/api/v2/logs',
            jsonBody(value, [`{"timestamp":"${ISO}","service":"${service}","message":"`, '"'], value.json),
            'application/json',
          )
        : undefined,
  },
  {
    name: 'Splunk HEC',
    asBytes: (value, service, target) => {
      if (!hasForm(value, 'json')) return undefined
      const start = `{"time":${SECONDS_TEXT},"source":"${service}","fields":{${value.json ?? ''}},"event":"`
      return post(target, '/services/collector', jsonBody(value, [start, '"'], undefined), 'application/json')
    },
  },
  {
    name: 'GELF over HTTP',
    asBytes: (value, service, target) =>
      hasForm(value, 'json') ? post(target, '/gelf', gelfBody(value, service), 'application/json') : undefined,
  },
  {
    name: 'GELF over TCP',
    client: 'gelf-pro',
    byClient: gelfBy('tcp'),
    asBytes: (value, service, { ports }) =>
      hasForm(value, 'json')
        ? sendTcp(ports.gelf, Buffer.concat([gelfBody(value, service), Buffer.from([0])]))
        : undefined,
  },
  {
    name: 'GELF over UDP',
    client: 'gelf-pro',
    byClient: gelfBy('udp'),
    asBytes: (value, service, { ports }) =>
      hasForm(value, 'json') ? sendUdp(ports.gelf, gelfBody(value, service)) : undefined,
  },
  {
    name: 'Forward',
    client: '@fluent-org/logger',
    byClient: async ({ message, attributes = {} }, service, { ports }) => {
      const client = new FluentClient('fidelity', {
        eventMode: 'PackedForward',
        ack: { ackTimeout: 60_000 },
        socket: { host: '127.0.0.1', port: ports.forward, timeout: 60_000 },
      })
      try {
        await client.emit({ ...attributes, message, service }, new EventTime(SECONDS, NANOS))
      } finally {
        await client.disconnect()
      }
    },
    asBytes: (value, service, { ports }) =>
      hasForm(value, 'msgpack') ? sendTcp(ports.forward, forwardMessage(value, service)) : undefined,
  },
  {
    name: 'syslog, RFC 5424 over TCP',
    asBytes: (value, service, { ports }) => {
      if (!hasForm(value, 'pairs')) return undefined
      // Structured data has no empty names.
      if (value.pairs?.some(([name]) => name === '') === true) return undefined
      const data = value.pairs?.map(([name, text]) => ` ${name}="${text}"`).join('') ?? ''
      const head = `<14>1 ${ISO} h ${service} - - ${data === '' ? '-' : `[fidelity@1${data}]`} `
      const frame = Buffer.concat([Buffer.from(head), messageBytes(value)])
      return sendTcp(ports.syslog, Buffer.concat([Buffer.from(`${frame.length} `), frame]))
    },
  },
  {
    name: 'syslog over UDP',
    client: 'syslog-client',
    byClient: async ({ message, attributes }, service, { ports }) => {
      if (attributes !== undefined) throw new InexpressibleError()
      const client = syslog.createClient('127.0.0.1', {
        port: ports.syslog,
        transport: syslog.Transport.Udp,
        appName: service,
        rfc3164: false,
        dateFormatter: () => ISO,
      })
      try {
        await new Promise<void>((resolve, reject) =>
          client.log(message, { severity: syslog.Severity.Informational }, (error: unknown) =>
            error ? reject(error) : resolve(),
          ),
        )
      } finally {
        client.close()
      }
    },
    asBytes: (value, service, { ports }) => {
      if (value.bytes === undefined) return undefined
      return sendUdp(ports.syslog, Buffer.concat([Buffer.from(`<14>1 ${ISO} h ${service} - - - `), value.bytes]))
    },
  },
]

/** A client cannot be given the value. */
export class InexpressibleError extends Error {}
