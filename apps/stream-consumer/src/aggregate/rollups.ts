import { DAY_MS, MINUTE_MS } from '@millrace/contracts'
import type { Transaction } from '@millrace/database'
import type { FlushedPositions } from '@millrace/streams'
import type { FrameView } from '../store/frame-view.js'
import { PartitionRollups } from './partition-rollups.js'
import type { Rollup } from './rollup.js'
import { loadRollups, markDirtyStatement, writeRollupsStatement } from './rollup-sql.js'
import type { Series } from './series-registry.js'

export interface RollupsConfig {
  /** Under load, the changes of a partition are written at this interval, in ms. */
  readonly flushMs: number
  /** Rate up to which changes are written earlier, with every commit. */
  readonly eagerBytesPerSecond: number
  /**
   * Shortest time between two such early writes of a partition, in ms: at 100 commits a second nobody would see a
   * difference.
   */
  readonly eagerPauseMs: number
  /** Approximate maximum of rollups in memory, for all partitions together. */
  readonly rollupsMax: number
}

const ROLLUPS_PER_STATEMENT = 1000

/** A frame whose records are counted. The next ordinal of its partition is `firstOrdinal` + `records`. */
export interface AppliedFrame {
  readonly partition: number
  readonly position: string
  readonly firstOrdinal: number
  readonly records: number
}

/**
 * The rollups of the stream partitions that this process owns. Records are counted in memory; absolute values are
 * written. All times are monotonic, in ms.
 */
export class Rollups {
  readonly #config: RollupsConfig
  readonly #partitions = new Map<number, PartitionRollups>()
  #tokens: number
  #refilledMs = Number.NEGATIVE_INFINITY
  #isStopping = false

  constructor(config: RollupsConfig) {
    this.#config = config
    this.#tokens = config.eagerBytesPerSecond
  }

  /**
   * Begins to count a partition whose rows in the table include all records below `from.ordinal`, which is the one
   * after `from.position`.
   */
  open(partition: number, from: { ordinal: number; position: string; nowMs: number }): void {
    // Partitions that are assigned together would all be written at the same time. This spreads them over the
    // interval.
    const offsetMs = ((partition * 7) % 16) * (this.#config.flushMs / 16)
    this.#partitions.set(partition, new PartitionRollups(partition, { ...from, nowMs: from.nowMs - offsetMs }))
  }

  close(partition: number): void {
    this.#partitions.delete(partition)
  }

  /** Rollups in memory. */
  get size(): number {
    let size = 0
    for (const partition of this.#partitions.values()) size += partition.size
    return size
  }

  /** Rollups that are not written yet. */
  get dirtySize(): number {
    let size = 0
    for (const partition of this.#partitions.values()) size += partition.dirty.size
    return size
  }

  /**
   * Counts the records of a frame. `content` is null for an unreadable frame. Returns the number of records counted
   * in each series of the frame.
   */
  apply(
    frame: AppliedFrame,
    content: { view: FrameView; series: readonly (Series | null)[]; verdicts: Uint8Array | null } | null,
  ): Uint32Array {
    const rollups = this.#of(frame.partition)
    rollups.appliedOrdinal = frame.firstOrdinal + frame.records
    rollups.appliedPosition = frame.position
    return content === null ? new Uint32Array(0) : rollups.addFrame(content.view, content.series, content.verdicts)
  }

  /** From now on every change is written with the next commit. */
  stop(): void {
    this.#isStopping = true
  }

  /** Whether the changes of a partition have to be written now. */
  isDue(nowMs: number): boolean {
    for (const partition of this.#partitions.values())
      if (partition.dirty.size > 0 && this.#isOverdue(partition, nowMs)) return true
    return false
  }

  /**
   * Writes what is due, in the transaction that stores the counted records. At low load that is everything; under
   * load each partition at its interval. Returns the partitions whose rows now include all counted records.
   */
  async flush(tx: Transaction, nowMs: number): Promise<FlushedPositions> {
    const flushed = new Map<number, { position: string; ordinal: number }>()
    const written: Rollup[] = []
    for (const partition of this.#chooseDue(nowMs)) {
      const dirty = [...partition.dirty]
      if (dirty.length > 0) await this.#write(tx, partition.partition, dirty)
      written.push(...dirty)
      partition.flushed(nowMs, this.#config.rollupsMax / this.#partitions.size)
      flushed.set(partition.partition, { position: partition.appliedPosition, ordinal: partition.appliedOrdinal })
    }
    if (written.length > 0) tx.atCommit(markDirtyStatement(written))
    return flushed
  }

  #chooseDue(nowMs: number): PartitionRollups[] {
    const { eagerBytesPerSecond, eagerPauseMs, flushMs } = this.#config
    const elapsedMs = Math.max(0, Math.min(flushMs, nowMs - this.#refilledMs))
    this.#tokens = Math.min(eagerBytesPerSecond, this.#tokens + (eagerBytesPerSecond * elapsedMs) / 1000)
    this.#refilledMs = nowMs
    return [...this.#partitions.values()].filter((partition) => {
      if (partition.appliedPosition === partition.flushedPosition) return false
      if (partition.dirty.size === 0 || this.#isOverdue(partition, nowMs)) return true
      if (nowMs - partition.lastFlushMs < eagerPauseMs) return false
      const bytes = partition.dirtyBytes
      if (bytes > this.#tokens) return false
      this.#tokens -= bytes
      return true
    })
  }

  /** Also when the late records of many minutes would fill the memory. */
  #isOverdue(partition: PartitionRollups, nowMs: number): boolean {
    return (
      this.#isStopping ||
      nowMs - partition.lastFlushMs >= this.#config.flushMs ||
      partition.dirty.size > this.#config.rollupsMax / this.#partitions.size
    )
  }

  async #write(tx: Transaction, partition: number, rollups: readonly Rollup[]): Promise<void> {
    for (let from = 0; from < rollups.length; from += ROLLUPS_PER_STATEMENT) {
      const some = rollups.slice(from, from + ROLLUPS_PER_STATEMENT)
      const partial = some.filter(({ isWhole }) => !isWhole)
      if (partial.length > 0) {
        for (const [index, row] of await loadRollups(tx, partition, partial)) (partial[index] as Rollup).merge(row)
        // The rollup now includes its row, and adding it again would count it twice.
        for (const rollup of partial) rollup.isWhole = true
      }
      tx.atCommit(writeRollupsStatement(partition, some))
    }
  }

  /** The days, as the ms of their start, whose day partitions a flush would write to. */
  dirtyDays(partition: number): Set<number> {
    const days = new Set<number>()
    for (const { minute } of this.#of(partition).dirty) days.add(Math.floor((minute * MINUTE_MS) / DAY_MS) * DAY_MS)
    return days
  }

  #of(partition: number): PartitionRollups {
    const rollups = this.#partitions.get(partition)
    if (rollups === undefined) throw new Error(`the rollups of partition ${partition} are not loaded`)
    return rollups
  }
}
