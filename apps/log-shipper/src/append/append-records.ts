import { type Hash64, hashText, partitionOf } from '@millrace/contracts'
import type { AppendedFrame, OpenBatch, Producer } from '@millrace/streams'
import { encodeBatch } from '../batch/log-batch.js'
import type { RecordCollector } from '../records/record-collector.js'
import type { StoredRecord } from '../records/record-limits.js'
import type { BatchToAppend, LogFrameBuilder } from './log-frame.js'

/** Records of one request in one frame that is safe; refused ones are counted with them. */
export interface AppendedLines extends AppendedFrame {
  readonly records: number
}

interface RequestRecords {
  readonly tenantId: number
  readonly services: RecordCollector['services']
  /** Records that are not stored: they were refused one by one, or dropped by a rule of the tenant. */
  readonly refused: number
  readonly traceparent: string | undefined
}

/** A batch ends after the line with which it reaches this size, so that a frame stays below the limits of Redis and Kafka whatever a request holds. */
const BATCH_LENGTH_MAX = 512 * 1024
const BATCH_LINES_MAX = 8192

/**
 * Appends all records of a request within one turn of the event loop, and waits until every frame with them is safe. When the stream refuses before the
 * first record, nothing was appended; when a later frame fails, the caller sees the error, and records of earlier frames may still be stored.
 */
export async function appendRecords(
  { tenantId, services, refused, traceparent }: RequestRecords,
  producer: Pick<Producer<LogFrameBuilder>, 'open' | 'partitions'>,
): Promise<readonly AppendedLines[]> {
  const targets = [...services].map(([service, lines]) => ({
    service,
    lines,
    partition: partitionOfService(tenantId, service, producer.partitions),
  }))
  if (targets.length === 0 && refused > 0)
    targets.push({ service: '', lines: [], partition: partitionOfService(tenantId, '', producer.partitions) })
  // A partition that takes nothing refuses the request before anything is added.
  for (const { partition } of targets) producer.open(partition)
  const appended = new Map<OpenBatch<LogFrameBuilder>, number>()
  const count = (open: OpenBatch<LogFrameBuilder>, records: number) => {
    if (!appended.has(open) && traceparent !== undefined) open.addTrace(traceparent)
    appended.set(open, (appended.get(open) ?? 0) + records)
  }
  const [first] = targets
  if (first !== undefined && refused > 0) {
    const open = producer.open(first.partition)
    open.builder.tally(tenantId, refused)
    count(open, refused)
  }
  for (const { service, lines, partition } of targets) {
    for (const piece of cutPieces(lines)) {
      // A batch that is large enough is sealed when the next one is opened.
      const open = producer.open(partition)
      open.builder.add(toBatch(tenantId, service, piece))
      count(open, piece.length)
    }
  }
  return await Promise.all([...appended].map(async ([open, records]) => ({ ...(await open.appended), records })))
}

const hash: Hash64 = { lo: 0, hi: 0 }

function partitionOfService(tenantId: number, service: string, partitions: number): number {
  return partitionOf(hashText(service, tenantId, hash), partitions)
}

function* cutPieces(lines: readonly StoredRecord[]): Generator<readonly StoredRecord[]> {
  let start = 0
  let length = 0
  for (const [index, { message, attributesJson }] of lines.entries()) {
    length += message.length + attributesJson.length
    if (length < BATCH_LENGTH_MAX && index + 1 - start < BATCH_LINES_MAX) continue
    yield lines.slice(start, index + 1)
    start = index + 1
    length = 0
  }
  if (start < lines.length) yield start === 0 ? lines : lines.slice(start)
}

function toBatch(tenantId: number, service: string, lines: readonly StoredRecord[]): BatchToAppend {
  let firstTimeMs = Number.POSITIVE_INFINITY
  let lastTimeMs = Number.NEGATIVE_INFINITY
  for (const { timeMs } of lines) {
    firstTimeMs = Math.min(firstTimeMs, timeMs)
    lastTimeMs = Math.max(lastTimeMs, timeMs)
  }
  return { tenantId, service, lines: lines.length, bytes: encodeBatch(lines), firstTimeMs, lastTimeMs }
}
