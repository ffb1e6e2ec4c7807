import type { IncomingHttpHeaders } from 'node:http'
import {
  DAY_MS,
  decodeEventRow,
  type EventRow,
  RecordBatchBuilder,
  RecordBatchReader,
  SIDE,
  SIDE_BYTES,
} from '@millrace/contracts'
import { parseSeriesKey, type RollupDefinition } from '@millrace/rollups'
import type { AppendedFrame, OpenBatch, Producer } from '@millrace/streams'
import { EventAcceptor } from '../events/event-acceptor.js'
import type { EventBody } from '../events/event-body.js'
import { EventCatalog } from '../events/event-catalog.js'
import type { ValidatorLimits } from '../events/event-validator.js'
import { type ParserConfig, RequestParser } from '../events/request-parser.js'
import type { Wire } from '../wires/wire.js'
import { createWires } from '../wires/wires.js'

/** A record as the consumer would see it. */
export interface SeenRecord extends EventRow {
  partition: number
  flags: number
  series: string
  /** `event/property=values: value` of each further series. */
  points: string[]
}

/** A producer that keeps what it is given. */
export class RecordingProducer implements Producer<RecordBatchBuilder> {
  readonly id = '01a1fd3b-4742-7bbc-bfa8-c4f7ba1f52b1'
  readonly partitions: number
  readonly #batches: OpenBatch<RecordBatchBuilder>[]
  /** When set, `open` throws it. */
  refusal: Error | undefined

  constructor(partitions = 4) {
    this.partitions = partitions
    this.#batches = Array.from({ length: partitions }, (_, partition) => ({
      builder: new RecordBatchBuilder(),
      appended: Promise.resolve({ partition, sequence: 1, isSpooled: false } satisfies AppendedFrame),
      addTrace: () => undefined,
    }))
  }

  open(partition: number): OpenBatch<RecordBatchBuilder> {
    if (this.refusal !== undefined) throw this.refusal
    return this.#batches[partition] as OpenBatch<RecordBatchBuilder>
  }

  check(): void {
    if (this.refusal !== undefined) throw this.refusal
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}
  counts() {
    return { heldFrames: 0, spooledFrames: 0, spoolFrames: 0, spoolBytes: 0, unacknowledgedBytes: 0 }
  }

  /** Everything that was added, partition by partition. To be called once, at the end. */
  seal(): { records: SeenRecord[]; tallies: { tenantId: number; accepted: number; rejected: number }[] } {
    const readers = this.#batches.map(({ builder }) => new RecordBatchReader(builder.seal()))
    return { records: readers.flatMap(readRecords), tallies: readers.flatMap((reader) => reader.tallies()) }
  }
}

function readRecords(reader: RecordBatchReader, partition: number): SeenRecord[] {
  const keys = reader.seriesKeys()
  const records = Array.from({ length: reader.records }, (_, i): SeenRecord => {
    const side = reader.sideOffset + i * SIDE_BYTES
    const series = keys[reader.payload.readUInt16LE(side + SIDE.series)] as string
    const flags = reader.payload[side + SIDE.flags] as number
    return { ...decodeEventRow(reader.payload, reader.rowRange(i).start), partition, flags, series, points: [] }
  })
  reader.forEachPoint((record, series, value) => {
    const { event, property, values } = parseSeriesKey(keys[series] as string)
    records[record]?.points.push(`${event}/${property}=${JSON.stringify(values)}: ${value}`)
  })
  return records
}

/** 2026-11-21T08:00:00Z, when all tests take place. */
export const TEST_NOW = Date.UTC(2026, 10, 21, 8)

export const testLimits: ValidatorLimits & ParserConfig = {
  eventBytesMax: 2000,
  depthMax: 8,
  keysMax: 30,
  ageMaxMs: 400 * DAY_MS,
  aheadMaxMs: DAY_MS,
  clockErrorMaxMs: DAY_MS,
  truncatesIp: false,
  eventsMax: 100,
  inheritedBytesMax: 5000,
}

/** A parser and an acceptor over a producer that keeps what it is given. */
export function openAcceptor({
  definitions = [],
  limits = {},
}: {
  definitions?: RollupDefinition[]
  limits?: Partial<ValidatorLimits & ParserConfig>
} = {}) {
  const producer = new RecordingProducer()
  const catalog = new EventCatalog(definitions)
  const config = { ...testLimits, ...limits }
  let ids = 0
  const parser = new RequestParser(config, { catalog: () => catalog })
  const newMessageId = () => `made-${++ids}`
  const acceptor = new EventAcceptor(config, { parser, producer, now: () => TEST_NOW, newMessageId })
  return { parser, acceptor, producer }
}

const wires = createWires({ segmentBytesMax: 1e6, eventsBytesMax: 1e6 })

export interface TestRequest {
  readonly path: string
  /** Query string without its question mark. */
  readonly query?: string
  readonly headers?: IncomingHttpHeaders
  /** What the request says about the device of the user. */
  readonly client?: { ip: string | undefined; userAgent: string | undefined }
}

/** A body as the wire of a path sees it. Arrives in two pieces, as it may from the network. */
export function toTestBody(
  body: unknown,
  { path, query = '', headers = {} }: TestRequest,
): { body: EventBody; wire: Wire } {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const chunks = [bytes.subarray(0, 7), bytes.subarray(7)]
  for (const wire of wires) {
    const route = wire.routes.find((one) => one.path === path)
    if (route !== undefined) {
      return { body: route.toBody({ url: `${path}?${query}`, headers, chunks, bytes: bytes.length }), wire }
    }
  }
  throw new Error(`no wire has the path ${path}`)
}

/** Sends a body as tenant 7 and returns what became of its events. */
export function acceptBody(body: unknown, to: TestRequest, options?: Parameters<typeof openAcceptor>[0]) {
  const { parser, acceptor, producer } = openAcceptor(options)
  const { body: eventBody, wire } = toTestBody(body, to)
  const acceptance = acceptor.accept(parser.parse(eventBody, wire.format), 7, {
    wantsMessageIds: true,
    client: to.client,
  })
  return { acceptance, ...producer.seal() }
}
