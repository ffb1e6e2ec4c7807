import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the tests ask of a span; ids in hexadecimal. */
export interface CollectedSpan {
  service: string
  name: string
  kind: number
  traceId: string
  parentSpanId: string
  spanId: string
  attributes: Record<string, string>
}

export interface SpanCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  endpoint: string
  spans: CollectedSpan[]
  close(): Promise<void>
}

/** Takes traces by OTLP over HTTP, in protobuf. */
export async function startSpanCollector(): Promise<SpanCollector> {
  const spans: CollectedSpan[] = []
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    if (req.url === '/v1/traces') spans.push(...readExport(Buffer.concat(chunks)))
    res.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** ExportTraceServiceRequest, https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
function readExport(bytes: Buffer): CollectedSpan[] {
  return messagesOf(bytes, 1).flatMap((resourceSpans) => {
    const [resource] = messagesOf(resourceSpans, 1)
    const service = resource === undefined ? '' : (readAttributes(resource, 1)['service.name'] ?? '')
    const spans = messagesOf(resourceSpans, 2).flatMap((scopeSpans) => messagesOf(scopeSpans, 2))
    return spans.map((span) => ({
      service,
      traceId: messagesOf(span, 1)[0]?.toString('hex') ?? '',
      spanId: messagesOf(span, 2)[0]?.toString('hex') ?? '',
      parentSpanId: messagesOf(span, 4)[0]?.toString('hex') ?? '',
      name: messagesOf(span, 5)[0]?.toString() ?? '',
      kind: Number(fieldsOf(span).find(({ field }) => field === 6)?.value ?? 0),
      attributes: readAttributes(span, 9),
    }))
  })
}

/** Text attributes alone. */
function readAttributes(bytes: Buffer, field: number): Record<string, string> {
  return Object.fromEntries(
    messagesOf(bytes, field).map((pair) => {
      const [value] = messagesOf(pair, 2)
      const text = value === undefined ? undefined : messagesOf(value, 1)[0]
      return [String(messagesOf(pair, 1)[0]), text?.toString() ?? '']
    }),
  )
}

function messagesOf(bytes: Buffer, field: number): Buffer[] {
  return fieldsOf(bytes).flatMap((one) => (one.field === field && Buffer.isBuffer(one.value) ? [one.value] : []))
}

/** https://protobuf.dev/programming-guides/encoding/ */
function fieldsOf(bytes: Buffer): { field: number; value: Buffer | bigint }[] {
  const fields: { field: number; value: Buffer | bigint }[] = []
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const field = tag >>> 3
    const wire = tag & 7
    if (wire === 0) fields.push({ field, value: varint() })
    else if (wire === 1) fields.push({ field, value: take(8) })
    else if (wire === 2) fields.push({ field, value: take(Number(varint())) })
    else if (wire === 5) fields.push({ field, value: take(4) })
    else throw new Error(`wire type ${wire} of protobuf`)
  }
  return fields
}
