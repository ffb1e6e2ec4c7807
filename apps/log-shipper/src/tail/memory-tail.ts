import type { FlushedPositions } from '@millrace/streams'

/** A batch that is committed in the stream and not yet in a chunk. Never changes. */
export interface TailBatch {
  readonly tenantId: number
  readonly service: string
  readonly partition: number
  readonly producer: string
  readonly firstOrdinal: number
  readonly lines: number
  /** Time of receipt, from which the day of very old lines is taken, ms since 1970. */
  readonly receivedAtMs: number
  readonly bytes: Buffer
}

/** One partition of the stream in memory. */
interface TailPartition {
  batches: TailBatch[]
  /** Whether all unflushed lines are in memory; not while it is rebuilt. */
  isReady: boolean
  position: string
  nextOrdinal: number
  flushedOrdinal: number
  /** The last sequence of each producer since the flush. */
  producers: Map<string, number>
}

/** What one search sees of the tail. */
export interface TailSnapshot {
  readonly batches: readonly TailBatch[]
  /** By partition: which lines are in `batches`. A chunk that has them too was written meanwhile. */
  readonly ranges: ReadonlyMap<number, TailRange>
}

/** Lines of a partition by their numbers: from `first` on, without `next`. */
export interface TailRange {
  readonly first: number
  readonly next: number
}

/** What is written to chunks together. */
export interface TailWindow {
  readonly batches: readonly TailBatch[]
  readonly flushed: FlushedPositions
  /** The last sequence of each producer by partition. */
  readonly producers: readonly { readonly partition: number; readonly producer: string; readonly sequence: number }[]
}

/** The lines that were read from the stream and are not in a chunk yet: of all partitions that this process owns. */
export class MemoryTail {
  readonly #partitions = new Map<number, TailPartition>()
  lines = 0
  bytes = 0
  /** When the oldest unflushed line was added, by the caller's clock; undefined when there is none. */
  oldestMs: number | undefined

  open(partition: number, from: { readonly position: string; readonly ordinal: number }): void {
    this.close(partition)
    this.#partitions.set(partition, {
      batches: [],
      isReady: false,
      position: from.position,
      nextOrdinal: from.ordinal,
      flushedOrdinal: from.ordinal,
      producers: new Map(),
    })
  }

  /** All unflushed lines of the partition were added: searches may rely on it. */
  ready(partition: number): void {
    const opened = this.#partitions.get(partition)
    if (opened !== undefined) opened.isReady = true
  }

  close(partition: number): void {
    const closed = this.#partitions.get(partition)
    if (closed === undefined) return
    this.#partitions.delete(partition)
    this.#forget(closed.batches)
  }

  get partitions(): number {
    return this.#partitions.size
  }

  /** Adds a frame of an open partition: all of its batches, and its place. */
  add(
    frame: {
      readonly partition: number
      readonly position: string
      readonly producer: string
      readonly sequence: number
      readonly records: number
    },
    batches: readonly TailBatch[],
    nowMs: number,
  ): void {
    const partition = this.#partitions.get(frame.partition)
    if (partition === undefined) throw new Error(`partition ${frame.partition} is not open`)
    partition.position = frame.position
    partition.nextOrdinal += frame.records
    partition.producers.set(frame.producer, frame.sequence)
    for (const batch of batches) {
      partition.batches.push(batch)
      this.lines += batch.lines
      this.bytes += batch.bytes.length
    }
    if (batches.length > 0) this.oldestMs ??= nowMs
  }

  nextOrdinal(partition: number): number {
    return this.#partitions.get(partition)?.nextOrdinal ?? 0
  }

  /** Everything that is in memory now, to be written. */
  window(): TailWindow {
    const all = [...this.#partitions]
    return {
      batches: all.flatMap(([, { batches }]) => batches),
      flushed: new Map(
        all.map(([partition, { position, nextOrdinal }]) => [partition, { position, ordinal: nextOrdinal }]),
      ),
      producers: all.flatMap(([partition, { producers }]) =>
        [...producers].map(([producer, sequence]) => ({ partition, producer, sequence })),
      ),
    }
  }

  /** Forgets a window that is committed. */
  flushed({ flushed }: TailWindow): void {
    for (const [number, { ordinal }] of flushed) {
      const partition = this.#partitions.get(number)
      if (partition === undefined) continue
      const isFlushed = ({ firstOrdinal }: TailBatch) => firstOrdinal < ordinal
      this.#forget(partition.batches.filter(isFlushed))
      partition.batches = partition.batches.filter((batch) => !isFlushed(batch))
      partition.flushedOrdinal = ordinal
      partition.producers = new Map()
    }
    if (this.lines === 0) this.oldestMs = undefined
  }

  /** The batches of a tenant at this moment, of the partitions that are complete in memory. */
  snapshot(tenantId: number): TailSnapshot {
    const all = [...this.#partitions].filter(([, { isReady }]) => isReady)
    return {
      batches: all.flatMap(([, { batches }]) => batches.filter((batch) => batch.tenantId === tenantId)),
      ranges: new Map(
        all.map(([partition, { flushedOrdinal, nextOrdinal }]) => [
          partition,
          { first: flushedOrdinal, next: nextOrdinal },
        ]),
      ),
    }
  }

  #forget(batches: readonly TailBatch[]): void {
    for (const { lines, bytes } of batches) {
      this.lines -= lines
      this.bytes -= bytes.length
    }
    if (this.lines === 0) this.oldestMs = undefined
  }
}
