import { partitionOf, type RecordBatchBuilder, SLICE } from '@millrace/contracts'
import type { AppendedFrame, OpenBatch, Producer } from '@millrace/streams'
import type { EventNames } from './event-catalog.js'
import type { EventValidator } from './event-validator.js'

/** Records of one request in one frame. */
export interface FrameRecords {
  readonly batch: OpenBatch<RecordBatchBuilder>
  /** Index in the frame of the first record. */
  readonly first: number
  records: number
}

/**
 * Appends valid records to the open batches of their partitions and remembers where they went. One request at a time, within one tick, as
 * `Producer.open` requires.
 */
export class EventAppender {
  readonly #producer: Producer<RecordBatchBuilder>
  /** By partition: the records of the frame that is being filled. */
  readonly #current: (FrameRecords | undefined)[]
  #frames: FrameRecords[] = []

  constructor(producer: Producer<RecordBatchBuilder>) {
    this.#producer = producer
    this.#current = new Array<FrameRecords | undefined>(producer.partitions).fill(undefined)
  }

  /** Appends the record that `validator` describes. Throws what `Producer.open` throws. */
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
    const frame = this.#current[partition]
    if (frame !== undefined && frame.batch.builder === batch.builder) frame.records++
    else this.#start(partition, { batch, first: index, records: 1 })
  }

  /**
   * Ends the request: adds its counts for the tenant to the frames that carry its records. The rejected events are counted on the first of
   * them; if there is none, on a frame of any partition. Returns where the records went.
   */
  finish(tenantId: number, rejected: number): FrameRecords[] {
    const frames = this.#frames
    this.#frames = []
    this.#current.fill(undefined)
    if (frames.length === 0 && rejected > 0) {
      const batch = this.#producer.open(tenantId % this.#producer.partitions)
      frames.push({ batch, first: batch.builder.records, records: 0 })
    }
    frames.forEach(({ batch, records }, i) => {
      const refused = i === 0 ? rejected : 0
      batch.builder.tally(tenantId, records + refused, refused)
    })
    return frames
  }

  /** Ends a request that will not be acknowledged. Records that are in a batch already may still be stored, so they are counted. */
  abandon(tenantId: number): void {
    for (const { batch } of this.finish(tenantId, 0)) batch.appended.catch(() => undefined)
  }

  #start(partition: number, frame: FrameRecords): void {
    this.#current[partition] = frame
    this.#frames.push(frame)
  }
}

/** Records of one request in a frame that the stream or the spool holds. */
export interface AppendedRecords extends AppendedFrame {
  /** Index in the frame of the first record. */
  readonly first: number
  readonly records: number
}

/** Resolves when the stream or the spool holds every frame; rejects with the first failure. In the order of `frames`. */
export function whenAppended(frames: readonly FrameRecords[]): Promise<AppendedRecords[]> {
  const [only] = frames
  // One event in one frame is the most frequent case and needs no Promise.all.
  if (only !== undefined && frames.length === 1) return only.batch.appended.then((frame) => [toAppended(only, frame)])
  return Promise.all(frames.map((one) => one.batch.appended.then((frame) => toAppended(one, frame))))
}

function toAppended(
  { first, records }: FrameRecords,
  { partition, sequence, isSpooled }: AppendedFrame,
): AppendedRecords {
  return { partition, sequence, isSpooled, first, records }
}
