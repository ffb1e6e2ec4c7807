import type { LogLine } from '../lib/log-corpus.js'
import { groupByOrigin, severityOf } from './encode-json.js'
import { placeholderOf } from './line-times.js'
import type { PreparedBody } from './prepared-body.js'

const FIXED64 = placeholderOf('fixed64')
const TIMESTAMP = placeholderOf('timestamp')
const WIRE_FIXED64 = 1
const WIRE_BYTES = 2
/** A Snappy literal whose length takes four bytes. */
const SNAPPY_LITERAL = 0xfc

/** Bytes with the places of the times in them. */
interface Part {
  readonly bytes: Buffer
  readonly times: readonly number[]
}

/** An ExportLogsServiceRequest in protobuf. */
export function encodeOtlp(lines: readonly LogLine[]): PreparedBody {
  const parts = groupByOrigin(lines).map((group) => {
    const [{ service, host }] = group as [LogLine]
    const resource = message(1, [
      keyValue(1, 'service.name', text(1, service)),
      keyValue(1, 'host.name', text(1, host)),
    ])
    const records = group.map((line) => message(2, otlpRecord(line)))
    return message(1, [resource, message(2, [message(1, [text(1, 'app')]), ...records])])
  })
  return prepared(join(parts))
}

function otlpRecord({ level, message: body, traceId, spanId, ...fields }: LogLine): Part[] {
  const { userId, requestId, httpStatus, durationMs } = fields
  const parts = [timeField(1), number(2, severityOf(level)), text(3, level), message(5, [text(1, body)])]
  if (userId !== '') parts.push(keyValue(6, 'user_id', text(1, userId)))
  if (requestId !== '') parts.push(keyValue(6, 'request_id', text(1, requestId)))
  if (httpStatus !== '') parts.push(keyValue(6, 'http.status', number(3, Number(httpStatus))))
  if (durationMs !== '') parts.push(keyValue(6, 'duration_ms', double(4, Number(durationMs))))
  if (traceId !== '') parts.push(bytes(9, Buffer.from(traceId, 'hex')), bytes(10, Buffer.from(spanId, 'hex')))
  return parts
}

/** A PushRequest in Snappy: a stream for each service and level, all other fields as structured metadata. */
export function encodeLoki(lines: readonly LogLine[]): PreparedBody {
  const streams = new Map<string, Part[]>()
  for (const line of lines) {
    const labels = `{service_name="${line.service}", level="${line.level}"}`
    const entries = streams.get(labels) ?? []
    if (entries.length === 0) streams.set(labels, entries)
    entries.push(message(2, lokiEntry(line)))
  }
  const push = join([...streams].map(([labels, entries]) => message(1, [text(1, labels), ...entries])))
  return prepared(asLiteral(push))
}

function lokiEntry({ message: line, host, traceId, spanId, ...fields }: LogLine): Part[] {
  const { userId, requestId, httpStatus, durationMs } = fields
  const metadata = { host, trace_id: traceId, span_id: spanId, user_id: userId, request_id: requestId }
  const all = { ...metadata, http_status: httpStatus, duration_ms: durationMs }
  const time = message(1, [{ bytes: TIMESTAMP, times: [0] }])
  const pairs = Object.entries(all).filter(([, value]) => value !== '')
  return [time, text(2, line), ...pairs.map(([name, value]) => message(3, [text(1, name), text(2, value)]))]
}

/** Snappy without compression, so that times can be replaced: the whole content is one literal. */
function asLiteral(content: Part): Part {
  const length = Buffer.alloc(5)
  length[0] = SNAPPY_LITERAL
  length.writeUInt32LE(content.bytes.length - 1, 1)
  return join([{ bytes: Buffer.concat([varint(content.bytes.length), length]), times: [] }, content])
}

function prepared({ bytes: all, times }: Part): PreparedBody {
  return { bytes: all, times: Uint32Array.from(times) }
}

function join(parts: readonly Part[]): Part {
  const times: number[] = []
  let start = 0
  for (const part of parts) {
    for (const at of part.times) times.push(start + at)
    start += part.bytes.length
  }
  return { bytes: Buffer.concat(parts.map((part) => part.bytes)), times }
}

function message(field: number, parts: readonly Part[]): Part {
  const content = join(parts)
  return join([{ bytes: Buffer.concat([tag(field, WIRE_BYTES), varint(content.bytes.length)]), times: [] }, content])
}

function bytes(field: number, content: Buffer): Part {
  return message(field, [{ bytes: content, times: [] }])
}

function text(field: number, content: string): Part {
  return bytes(field, Buffer.from(content))
}

function number(field: number, value: number): Part {
  return { bytes: Buffer.concat([tag(field, 0), varint(value)]), times: [] }
}

function double(field: number, value: number): Part {
  const content = Buffer.alloc(8)
  content.writeDoubleLE(value)
  return { bytes: Buffer.concat([tag(field, WIRE_FIXED64), content]), times: [] }
}

function timeField(field: number): Part {
  return { bytes: Buffer.concat([tag(field, WIRE_FIXED64), FIXED64]), times: [1] }
}

function keyValue(field: number, key: string, value: Part): Part {
  return message(field, [text(1, key), message(2, [value])])
}

function tag(field: number, wire: number): Buffer {
  return varint(field * 8 + wire)
}

function varint(value: number): Buffer {
  const content: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) content.push((rest % 0x80) | 0x80)
  return Buffer.from([...content, rest])
}
