import { partitionOf, type RecordBatchBuilder, SLICE } from '@millrace/contracts'
import type { AppendedFrame, OpenBatch, Producer } from '@millrace/streams'
import type { EventNames } from './event-catalog.js'
import type { EventValidator } from './event-validator.js'

/** Records of one request in one frame. */
export interface Segment {
  readonly batch: OpenBatch<RecordBatchBuilder>
  /** Index in the frame of the first record. */
  readonly first: number
  records: number
}

/**
 * Puts judged records into the open batches of their partitions and remembers where they went. One request at a time, within one
 * tick, as `Producer.open` asks.
 */
export class EventAppender {
  readonly #producer: Producer<RecordBatchBuilder>
  /** By partition: the segment that grows. */
  readonly #current: (Segment | undefined)[]
  #segments: Segment[] = []

  constructor(producer: Producer<RecordBatchBuilder>) {
    this.#producer = producer
    this.#current = new Array<Segment | undefined>(producer.partitions).fill(undefined)
  }

  /** Appends the record that `validator` holds. Throws what `Producer.open` throws. */
  append(validator: EventValidator, names: EventNames): void {
    const partition = partitionOf(validator.user, this.#producer.partitions)
    const batch = this.#producer.open(partition)
    const { ranges } = validator.slices
    const series = names.find(validator.bytes, ranges[2 * SLICE.event] as number, ranges[2 * SLICE.event + 1] as number)
    const index = batch.builder.addSlices(validator.slices, series.seriesKey)
    for (const reader of series.readers) {
      const point = reader.read(validator)
      if (point !== undefined) batch.builder.addPoint(index, point.key, point.value)
    }
    const segment = this.#current[partition]
    if (segment !== undefined && segment.batch.builder === batch.builder) segment.records++
    else this.#start(partition, { batch, first: index, records: 1 })
  }

  /**
   * Ends the request: counts its records for the tenant in the frames that carry them, the refused ones in the first of them or, where
   * there is none, in a frame of any partition. Returns where the records went.
   */
  finish(tenantId: number, rejected: number): Segment[] {
    const segments = this.#segments
    this.#segments = []
    this.#current.fill(undefined)
    if (segments.length === 0 && rejected > 0) {
      const batch = this.#producer.open(tenantId % this.#producer.partitions)
      segments.push({ batch, first: batch.builder.records, records: 0 })
    }
    segments.forEach(({ batch, records }, i) => {
      const refused = i === 0 ? rejected : 0
      batch.builder.tally(tenantId, records + refused, refused)
    })
    return segments
  }

  /** Ends a request that is not acknowledged: records that are in a batch by now may be stored all the same, so they are counted. */
  abandon(tenantId: number): void {
    for (const { batch } of this.finish(tenantId, 0)) batch.appended.catch(() => undefined)
  }

  #start(partition: number, segment: Segment): void {
    this.#current[partition] = segment
    this.#segments.push(segment)
  }
}

/** Waits until every frame of the request is held; rejects with the first failure. */
export function whenAppended(segments: readonly Segment[]): Promise<AppendedFrame[]> {
  return Promise.all(segments.map((segment) => segment.batch.appended))
}
