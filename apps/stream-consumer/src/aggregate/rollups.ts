import { DAY_MS, MINUTE_MS } from '@millrace/contracts'
import type { Transaction } from '@millrace/database'
import type { FlushedPositions } from '@millrace/streams'
import type { FrameView } from '../store/frame-view.js'
import { PartitionRollups } from './partition-rollups.js'
import type { RollupCell } from './rollup-cell.js'
import { loadCells, markDirtyStatement, writeCellsStatement } from './rollup-sql.js'
import type { Series } from './series-registry.js'

export interface RollupsConfig {
  /** A partition's changes are written at the latest so long after the last time, in ms. */
  readonly flushMs: number
  /** Bytes a second that may be written more often than that, with every commit. */
  readonly eagerBytesPerSecond: number
  /** But not sooner than so long after the last time, in ms: with 100 commits a second nobody would see the difference. */
  readonly eagerPauseMs: number
  /** Cells of all partitions together to keep in memory, about. */
  readonly cellsMax: number
}

/** Cells written by one statement. */
const CELLS_A_STATEMENT = 1000

/** A frame that was applied, with the verdicts of its records; `firstOrdinal` + records is the next ordinal of its partition. */
export interface AppliedFrame {
  readonly partition: number
  readonly position: string
  readonly firstOrdinal: number
  readonly records: number
}

/** The rollups of the partitions this process owns: counted in memory, written as absolute values. Times are monotonic ms. */
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

  /** Takes a partition over whose rows stand for everything below `ordinal`, that is up to `position`. */
  open(partition: number, from: { ordinal: number; position: string; nowMs: number }): void {
    // Partitions taken over together would also be flushed together; this spreads them over the interval.
    const offsetMs = ((partition * 7) % 16) * (this.#config.flushMs / 16)
    this.#partitions.set(partition, new PartitionRollups(partition, { ...from, nowMs: from.nowMs - offsetMs }))
  }

  close(partition: number): void {
    this.#partitions.delete(partition)
  }

  get cells(): number {
    let cells = 0
    for (const partition of this.#partitions.values()) cells += partition.size
    return cells
  }

  get dirtyCells(): number {
    let cells = 0
    for (const partition of this.#partitions.values()) cells += partition.dirty.size
    return cells
  }

  /** Counts a frame in memory. `content` is null for a frame that cannot be read. Returns what each of its series counted. */
  apply(
    frame: AppliedFrame,
    content: { view: FrameView; series: readonly (Series | null)[]; verdicts: Uint8Array | null } | null,
  ): Uint32Array {
    const rollups = this.#of(frame.partition)
    rollups.appliedOrdinal = frame.firstOrdinal + frame.records
    rollups.appliedPosition = frame.position
    return content === null ? new Uint32Array(0) : rollups.addFrame(content.view, content.series, content.verdicts)
  }

  /** From now on every change is due at once. */
  stop(): void {
    this.#isStopping = true
  }

  /** Whether a partition has waited for its flush as long as it may. */
  isDue(nowMs: number): boolean {
    for (const rollups of this.#partitions.values())
      if (rollups.dirty.size > 0 && this.#isOverdue(rollups, nowMs)) return true
    return false
  }

  /**
   * Writes what is due, in the transaction that makes it durable together with what it counts. At low load that is everything, with every
   * commit; under load each partition at its interval. Returns the partitions whose rows now stand for all that was applied.
   */
  async flush(tx: Transaction, nowMs: number): Promise<FlushedPositions> {
    const flushed = new Map<number, { position: string; ordinal: number }>()
    const written: RollupCell[] = []
    for (const rollups of this.#chooseDue(nowMs)) {
      const cells = [...rollups.dirty]
      if (cells.length > 0) await this.#write(tx, rollups.partition, cells)
      written.push(...cells)
      rollups.flushed(nowMs, this.#config.cellsMax / this.#partitions.size)
      flushed.set(rollups.partition, { position: rollups.appliedPosition, ordinal: rollups.appliedOrdinal })
    }
    if (written.length > 0) tx.atCommit(markDirtyStatement(written))
    return flushed
  }

  #chooseDue(nowMs: number): PartitionRollups[] {
    const { eagerBytesPerSecond, eagerPauseMs, flushMs } = this.#config
    const elapsedMs = Math.max(0, Math.min(flushMs, nowMs - this.#refilledMs))
    this.#tokens = Math.min(eagerBytesPerSecond, this.#tokens + (eagerBytesPerSecond * elapsedMs) / 1000)
    this.#refilledMs = nowMs
    return [...this.#partitions.values()].filter((rollups) => {
      if (rollups.appliedPosition === rollups.flushedPosition) return false
      if (rollups.dirty.size === 0 || this.#isOverdue(rollups, nowMs)) return true
      if (nowMs - rollups.lastFlushMs < eagerPauseMs) return false
      const bytes = rollups.dirtyBytes
      if (bytes > this.#tokens) return false
      this.#tokens -= bytes
      return true
    })
  }

  /** Also when late records have opened so many minutes that memory would suffer. */
  #isOverdue(rollups: PartitionRollups, nowMs: number): boolean {
    return (
      this.#isStopping ||
      nowMs - rollups.lastFlushMs >= this.#config.flushMs ||
      rollups.dirty.size > this.#config.cellsMax / this.#partitions.size
    )
  }

  async #write(tx: Transaction, partition: number, cells: readonly RollupCell[]): Promise<void> {
    for (let from = 0; from < cells.length; from += CELLS_A_STATEMENT) {
      const some = cells.slice(from, from + CELLS_A_STATEMENT)
      const partial = some.filter(({ isWhole }) => !isWhole)
      if (partial.length > 0) {
        for (const [index, row] of await loadCells(tx, partition, partial)) (partial[index] as RollupCell).merge(row)
        // From here on the cell holds what the row does; merging it twice would count it twice.
        for (const cell of partial) cell.isWhole = true
      }
      tx.atCommit(writeCellsStatement(partition, some))
    }
  }

  /** Days, as ms of their beginning, whose rows a flush of the partition would write. */
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
