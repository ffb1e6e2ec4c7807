import type { Queryable } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import { decodeFrame, type StreamDriver } from '@millrace/streams'
import type { TailBatch, TailRange } from '../tail/memory-tail.js'
import { prepareFrame } from './prepare-frame.js'

export interface StreamTailConfig {
  readonly group: string
  readonly stream: string
  /** Partitions of the stream. */
  readonly partitions: number
  /** Bytes of lines that are kept between two searches and that one search reads. */
  readonly bytesMax: number
}

export interface StreamTailDeps {
  readonly database: Queryable
  readonly driver: Pick<StreamDriver, 'openReader'>
  readonly logger: Logger
}

/** The lines of partitions that are in the stream and in no chunk. */
export interface StreamTailLines {
  readonly batches: readonly TailBatch[]
  /** By partition: which lines are in `batches`. */
  readonly ranges: ReadonlyMap<number, TailRange>
  /** What is missing, in sentences. */
  readonly incomplete: readonly string[]
}

interface Flushed {
  readonly partition: number
  readonly position: string
  readonly ordinal: number
}

/** One partition as far as it was read. */
interface ReadPartition {
  flushedOrdinal: number
  /** The last frame that was read. */
  position: string
  nextOrdinal: number
  sequences: Map<string, number>
  batches: TailBatch[]
}

/** Retries when chunks are written while frames are read. */
const ATTEMPTS = 4
const READ_LIMITS = { framesMax: 200, bytesMax: 8 * 1024 * 1024, blockMs: 0 }

/**
 * Reads the lines that are not in a chunk yet from the stream itself, for each partition that this process does not own: its owner is another process, or it was
 * killed and its lease has not ended, or another member is just taking it over. So a search at any process finds the lines of all partitions. What was read is
 * kept, and a further search reads only what is new.
 */
export class StreamTail {
  readonly #config: StreamTailConfig
  readonly #deps: StreamTailDeps
  readonly #read = new Map<number, ReadPartition>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(config: StreamTailConfig, deps: StreamTailDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** Everything in the stream at this moment, without the partitions of `owned`. Never throws: what cannot be read is named. */
  async read(owned: ReadonlySet<number>): Promise<StreamTailLines> {
    const { partitions } = this.#config
    const wanted = Array.from({ length: partitions }, (_, partition) => partition).filter((one) => !owned.has(one))
    for (const partition of owned) this.#read.delete(partition)
    if (wanted.length === 0) return { batches: [], ranges: new Map(), incomplete: [] }
    // One at a time, so that no frame is read twice.
    const result = this.#last.then(() => this.#readAll(wanted))
    this.#last = result.catch(() => undefined)
    return await result
  }

  async #readAll(wanted: readonly number[]): Promise<StreamTailLines> {
    const incomplete: string[] = []
    let unread: readonly number[] = wanted
    try {
      for (let attempt = 0; attempt < ATTEMPTS && unread.length > 0; attempt++) unread = await this.#readOnce(unread)
      if (unread.length > 0)
        incomplete.push(
          `lines of partitions ${unread.join(', ')} that were written while they were read may be missing`,
        )
    } catch (error) {
      this.#deps.logger.warn('lines that other processes have not written yet cannot be read for a search', {
        partitions: [...unread],
        error: error as Error,
      })
      incomplete.push(
        `lines of partitions ${unread.join(', ')} that are not written to PostgreSQL yet are missing: the stream cannot be read`,
      )
    }
    const complete = wanted.filter((partition) => !unread.includes(partition))
    const found = complete.flatMap((partition) => {
      const read = this.#read.get(partition)
      return read === undefined ? [] : [[partition, read] as const]
    })
    if (this.#bytes >= this.#config.bytesMax)
      incomplete.push('the newest lines that are not written to PostgreSQL yet are missing: there are too many of them')
    return {
      batches: found.flatMap(([, { batches }]) => batches),
      ranges: new Map(
        found.map(([partition, read]) => [partition, { first: read.flushedOrdinal, next: read.nextOrdinal }]),
      ),
      incomplete,
    }
  }

  /** Returns the partitions whose frames may have been trimmed while they were read. */
  async #readOnce(wanted: readonly number[]): Promise<number[]> {
    const flushed = await this.#readFlushed(wanted)
    const starts = new Map<number, number>()
    for (const one of flushed) starts.set(one.partition, await this.#begin(one))
    // A partition that no process has ever had holds no stored lines, and its frames begin at 0.
    for (const partition of wanted)
      if (!starts.has(partition)) starts.set(partition, await this.#begin({ partition, position: '', ordinal: 0 }))
    await this.#readFrames(wanted)
    const after = await this.#readFlushed(wanted)
    const changed = after.filter(({ partition, ordinal }) => ordinal > (starts.get(partition) ?? 0))
    for (const { partition } of changed) this.#read.delete(partition)
    return changed.map(({ partition }) => partition)
  }

  /** Continues where the last search ended, or begins behind the flushed lines. Returns the number of the first line that is read. */
  async #begin({ partition, position, ordinal }: Flushed): Promise<number> {
    const read = this.#read.get(partition)
    if (read !== undefined && read.flushedOrdinal <= ordinal && ordinal <= read.nextOrdinal) {
      read.batches = read.batches.filter(({ firstOrdinal }) => firstOrdinal >= ordinal)
      read.flushedOrdinal = ordinal
      return read.nextOrdinal
    }
    const sequences = await this.#readSequences(partition)
    this.#read.set(partition, { flushedOrdinal: ordinal, position, nextOrdinal: ordinal, sequences, batches: [] })
    return ordinal
  }

  async #readFrames(wanted: readonly number[]): Promise<void> {
    const reader = await this.#deps.driver.openReader(this.#config.stream)
    try {
      for (const partition of wanted) reader.seek(partition, this.#read.get(partition)?.position ?? '')
      while (this.#bytes < this.#config.bytesMax) {
        const frames = await reader.read(READ_LIMITS)
        if (frames.length === 0) return
        for (const frame of frames) this.#add(frame)
      }
    } finally {
      await reader.close()
    }
  }

  #add({
    partition,
    position,
    appendedAtMs,
    bytes,
  }: {
    partition: number
    position: string
    appendedAtMs: number
    bytes: Buffer
  }): void {
    const read = this.#read.get(partition)
    if (read === undefined) return
    read.position = position
    const decoded = tryDecode(bytes)
    if (decoded === undefined) return
    const { producer, sequence } = decoded.header
    if (sequence <= (read.sequences.get(producer) ?? 0)) return
    read.sequences.set(producer, sequence)
    const frame = prepareFrame({ partition, position, appendedAtMs, ...decoded }, read.nextOrdinal)
    read.nextOrdinal += frame.records
    read.batches.push(...frame.batches)
  }

  get #bytes(): number {
    let bytes = 0
    for (const { batches } of this.#read.values()) for (const batch of batches) bytes += batch.bytes.length
    return bytes
  }

  async #readFlushed(partitions: readonly number[]): Promise<Flushed[]> {
    const { rows } = await this.#deps.database.query<{
      partition: number
      flushed_position: string
      flushed_ordinal: bigint
    }>(
      `select partition, flushed_position, flushed_ordinal from stream_partitions
       where group_name = $1 and stream = $2 and partition = any($3::smallint[])`,
      [this.#config.group, this.#config.stream, [...partitions]],
    )
    return rows.map((row) => ({
      partition: row.partition,
      position: row.flushed_position,
      ordinal: Number(row.flushed_ordinal),
    }))
  }

  /** The last frame of each producer that is in chunks. */
  async #readSequences(partition: number): Promise<Map<string, number>> {
    const { rows } = await this.#deps.database.query<{ producer: string; last_sequence: bigint }>({
      text: `select producer::text as producer, last_sequence from log_flushed where group_name = $1 and stream = $2 and partition = $3`,
      values: [this.#config.group, this.#config.stream, partition],
      mayRepeat: true,
    })
    return new Map(rows.map((row) => [row.producer, Number(row.last_sequence)]))
  }
}

/** Undefined for an entry that is not a valid frame; its consumer reports it. */
function tryDecode(bytes: Buffer): ReturnType<typeof decodeFrame> | undefined {
  try {
    return decodeFrame(bytes)
  } catch {
    return undefined
  }
}
