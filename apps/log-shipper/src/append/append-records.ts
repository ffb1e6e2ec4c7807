import { type Hash64, hashText, partitionOf } from '@millrace/contracts'
import type { AppendedFrame, OpenBatch, Producer } from '@millrace/streams'
import type { EncodedBatch } from '../batch/line-batches.js'
import type { LogFrameBuilder } from './log-frame.js'

/** Records of one request in one frame that is safe; refused ones are counted with them. */
export interface AppendedLines extends AppendedFrame {
  readonly records: number
}

interface RequestRecords {
  readonly tenantId: number
  /** The batches of each service. */
  readonly services: ReadonlyMap<string, readonly EncodedBatch[]>
  /** Records that are not stored: they were refused one by one, or dropped by a rule of the tenant. */
  readonly refused: number
  readonly traceparent: string | undefined
}

/**
 * Appends all records of a request within one turn of the event loop, and waits until every frame with them is safe. When the stream refuses before the
 * first record, nothing was appended; when a later frame fails, the caller sees the error, and records of earlier frames may still be stored.
 */
export async function appendRecords(
  { tenantId, services, refused, traceparent }: RequestRecords,
  producer: Pick<Producer<LogFrameBuilder>, 'open' | 'partitions'>,
): Promise<readonly AppendedLines[]> {
  const targets = [...services].map(([service, batches]) => ({
    service,
    batches,
    partition: partitionOfService(tenantId, service, producer.partitions),
  }))
  if (targets.length === 0 && refused > 0)
    targets.push({ service: '', batches: [], partition: partitionOfService(tenantId, '', producer.partitions) })
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
  for (const { service, batches, partition } of targets) {
    for (const batch of batches) {
      // A batch that is large enough is sealed when the next one is opened.
      const open = producer.open(partition)
      open.builder.add({ ...batch, tenantId, service })
      count(open, batch.lines)
    }
  }
  return await Promise.all([...appended].map(async ([open, records]) => ({ ...(await open.appended), records })))
}

const hash: Hash64 = { lo: 0, hi: 0 }

function partitionOfService(tenantId: number, service: string, partitions: number): number {
  return partitionOf(hashText(service, tenantId, hash), partitions)
}
