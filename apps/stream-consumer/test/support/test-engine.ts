import { randomUUID } from 'node:crypto'
import type { Connection, Database, Transaction } from '@millrace/database'
import { type AssignedPartition, FRAME_FLAG, type NewFrame, type StreamHandler } from '@millrace/streams'
import { payloadOf, type TestEvent } from './frames.js'

type LoggedFrame = Omit<NewFrame, 'firstOrdinal'>

/** The frames of all partitions, in memory, in place of the stream. */
export class TestLog {
  readonly frames = new Map<number, LoggedFrame[]>()
  readonly producer = randomUUID()
  #sequence = 0

  append(
    partition: number,
    events: readonly TestEvent[],
    over: { isReplay?: boolean; payload?: Buffer; watermarkMaxMs?: number } = {},
  ): LoggedFrame {
    const sequence = ++this.#sequence
    const payload = over.payload ?? payloadOf(events)
    const frame = {
      partition,
      position: String(sequence).padStart(12, '0'),
      appendedAtMs: Date.now(),
      watermarkMaxMs: over.watermarkMaxMs ?? Number.NEGATIVE_INFINITY,
      payload,
      header: {
        producer: this.producer,
        sequence,
        flags: over.isReplay ? FRAME_FLAG.replay : 0,
        records: events.length,
        cumulativeRecords: 0,
        firstTimeMs: over.payload ? 0 : Math.min(...events.map(({ timestampMs }) => timestampMs ?? Date.now())),
        lastTimeMs: 0,
        rawBytes: payload.length,
      },
    }
    const frames = this.frames.get(partition) ?? []
    frames.push(frame)
    this.frames.set(partition, frames)
    return frame
  }
}

interface Row {
  partition: number
  position: string
  next_ordinal: bigint
  flushed_position: string
  flushed_ordinal: bigint
  epoch: bigint
}

/**
 * A stream engine for one consumer without timers: the test decides when a batch is read, when it fails and which
 * consumer owns a partition. Positions and epochs are in stream_partitions as in the real engine.
 */
export class TestEngine<Prepared> {
  readonly owned = new Map<number, AssignedPartition>()
  /** Runs inside the transaction after `apply`; throw to fail it. */
  beforeCommit: (tx: Transaction) => Promise<void> = async () => {}
  readonly #database: Database
  readonly #log: TestLog
  readonly #handler: StreamHandler<Prepared, Transaction>
  #connection: Connection | undefined

  constructor(database: Database, log: TestLog, handler: StreamHandler<Prepared, Transaction>) {
    this.#database = database
    this.#log = log
    this.#handler = handler
  }

  /** Takes over partitions from their owners. */
  async assign(partitions: readonly number[]): Promise<void> {
    const { rows } = await this.#database.query<Row>(
      `insert into stream_partitions (group_name, stream, partition, epoch) select 'g', 'events', p, 1 from unnest($1::smallint[]) as p
       on conflict (group_name, stream, partition) do update set epoch = stream_partitions.epoch + 1
       returning partition, position, next_ordinal, flushed_position, flushed_ordinal, epoch`,
      [partitions],
    )
    const assigned = rows.map((row) => ({
      partition: row.partition,
      epoch: Number(row.epoch),
      position: row.position,
      nextOrdinal: Number(row.next_ordinal),
      flushedPosition: row.flushed_position,
      flushedOrdinal: Number(row.flushed_ordinal),
    }))
    const log = this.#log
    async function* replay(partition: number): AsyncIterable<LoggedFrame> {
      const { flushedPosition, position } = assigned.find((one) => one.partition === partition) as AssignedPartition
      for (const frame of log.frames.get(partition) ?? []) {
        if (frame.position > flushedPosition && frame.position <= position) yield frame
      }
    }
    await this.#handler.assigned(assigned, { replay })
    for (const one of assigned) this.owned.set(one.partition, one)
  }

  /** The next frames for this consumer, at most `max` for each partition, as one batch. */
  waiting(max = 100): NewFrame[] {
    return [...this.owned.values()].flatMap(({ partition, position, nextOrdinal }) => {
      let ordinal = nextOrdinal
      const frames = (this.#log.frames.get(partition) ?? []).filter((frame) => frame.position > position).slice(0, max)
      return frames.map((frame) => {
        const numbered = { ...frame, firstOrdinal: ordinal }
        ordinal += frame.header.records
        return numbered
      })
    })
  }

  /** Processes one batch in one transaction. After a failure all partitions are revoked and the error is thrown. */
  async step(frames = this.waiting()): Promise<void> {
    try {
      const records = frames.reduce((sum, frame) => sum + frame.header.records, 0)
      const prepared = await this.#handler.prepare({ frames, records })
      this.#connection ??= await this.#database.connection()
      await this.#connection.transaction(async (tx) => {
        const flushed = (await this.#handler.apply(prepared, tx)) ?? new Map()
        for (const partition of new Set([...frames.map((frame) => frame.partition), ...flushed.keys()])) {
          this.#move(tx, partition, frames, flushed.get(partition))
        }
        await this.beforeCommit(tx)
      })
      for (const frame of frames) {
        const owned = this.owned.get(frame.partition) as AssignedPartition
        this.owned.set(frame.partition, {
          ...owned,
          position: frame.position,
          nextOrdinal: frame.firstOrdinal + frame.header.records,
        })
      }
      this.#handler.committed?.(prepared)
    } catch (error) {
      this.revoke()
      throw error
    }
  }

  #move(
    tx: Transaction,
    partition: number,
    frames: readonly NewFrame[],
    flushed: { position: string; ordinal: number } | undefined,
  ): void {
    const last = frames.filter((frame) => frame.partition === partition).at(-1)
    tx.atCommit({
      text: `with moved as (update stream_partitions set position = coalesce($2, position), next_ordinal = coalesce($3, next_ordinal),
               flushed_position = coalesce($4, flushed_position), flushed_ordinal = coalesce($5, flushed_ordinal)
             where group_name = 'g' and partition = $1 and epoch = $6 returning 1)
             select millrace_fence((select count(*) from moved), 1)`,
      values: [
        partition,
        last?.position ?? null,
        last === undefined ? null : last.firstOrdinal + last.header.records,
        flushed?.position ?? null,
        flushed?.ordinal ?? null,
        this.owned.get(partition)?.epoch,
      ],
    })
  }

  revoke(): void {
    this.#handler.revoked([...this.owned.keys()])
    this.owned.clear()
  }

  async close(): Promise<void> {
    this.revoke()
    await this.#connection?.close()
    this.#connection = undefined
  }
}
