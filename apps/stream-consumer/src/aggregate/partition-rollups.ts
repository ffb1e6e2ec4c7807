import { MINUTE_MS } from '@millrace/contracts'
import { DOUBLES, type FrameView, TIMESTAMP_DOUBLE, WORD, WORDS } from '../store/frame-view.js'
import { RollupCell } from './rollup-cell.js'
import type { Series } from './series-registry.js'

/** A cell that was not changed for so many flushes is dropped from memory; a late record brings it back from the table. */
const ROUNDS_KEPT = 90

/** The minutes of one partition that are in memory. */
export class PartitionRollups {
  readonly partition: number
  /** Everything below this ordinal, that is up to this position, is in the cells or in the table. */
  appliedOrdinal: number
  appliedPosition: string
  /** The position that the table stands for. */
  flushedPosition: string
  lastFlushMs: number
  /** By series id, since the same series may come as different objects, then by minute. */
  readonly #cells = new Map<number, Map<number, RollupCell>>()
  readonly #dirty = new Set<RollupCell>()
  #round = 0
  #size = 0

  constructor(partition: number, from: { ordinal: number; position: string; nowMs: number }) {
    this.partition = partition
    this.appliedOrdinal = from.ordinal
    this.appliedPosition = from.position
    this.flushedPosition = from.position
    this.lastFlushMs = from.nowMs
  }

  get dirty(): ReadonlySet<RollupCell> {
    return this.#dirty
  }

  get size(): number {
    return this.#size
  }

  /** Bytes that a flush would write, about. */
  get dirtyBytes(): number {
    let bytes = 0
    for (const cell of this.#dirty) bytes += cell.bytes
    return bytes
  }

  /**
   * Counts the records of a frame whose verdict is 'stored'. `series` lines up with the frame's series; null where one is not counted.
   * Returns how many records were counted by series.
   */
  addFrame(view: FrameView, series: readonly (Series | null)[], verdicts: Uint8Array | null): Uint32Array {
    const counts = new Uint32Array(series.length)
    const cells: (RollupCell | undefined)[] = new Array(series.length)
    const { words, doubles, records } = view
    for (let index = 0, at = 0, time = TIMESTAMP_DOUBLE; index < records; index++, at += WORDS, time += DOUBLES) {
      if (verdicts !== null && verdicts[index] !== 0) continue
      const s = (words[at + WORD.seriesTypeFlags] as number) & 0xffff
      const minute = Math.floor((doubles[time] as number) / MINUTE_MS)
      let cell = cells[s]
      if (cell === undefined || cell.minute !== minute) {
        cell = this.#open(series[s], minute)
        if (cell === undefined) continue
        cells[s] = cell
      }
      counts[s] = (counts[s] as number) + 1
      cell.count++
      cell.uniques.add(words[at + WORD.userHashLo] as number, words[at + WORD.userHashHi] as number)
    }
    this.#addPoints(view, { series, cells, verdicts })
    return counts
  }

  #addPoints(
    { reader, words, doubles, records }: FrameView,
    {
      series,
      cells,
      verdicts,
    }: { series: readonly (Series | null)[]; cells: (RollupCell | undefined)[]; verdicts: Uint8Array | null },
  ): void {
    reader.forEachPoint((index, s, value) => {
      if (index >= records || (verdicts !== null && verdicts[index] !== 0)) return
      const minute = Math.floor((doubles[index * DOUBLES + TIMESTAMP_DOUBLE] as number) / MINUTE_MS)
      let cell = cells[s]
      if (cell === undefined || cell.minute !== minute) {
        cell = this.#open(series[s], minute)
        if (cell === undefined) return
        cells[s] = cell
      }
      const at = index * WORDS
      const lo = words[at + WORD.userHashLo] as number
      const hi = words[at + WORD.userHashHi] as number
      if (cell.sum !== null) cell.addValue(value, lo, hi)
      else {
        cell.count++
        cell.uniques.add(lo, hi)
      }
    })
  }

  /** The cell of a series and minute, made if need be and marked as changed. */
  #open(series: Series | null | undefined, minute: number): RollupCell | undefined {
    if (series === null || series === undefined) return undefined
    let minutes = this.#cells.get(series.id)
    if (minutes === undefined) {
      minutes = new Map()
      this.#cells.set(series.id, minutes)
    }
    let cell = minutes.get(minute)
    if (cell === undefined) {
      cell = new RollupCell(series, minute)
      minutes.set(minute, cell)
      this.#size++
    }
    if (!cell.isDirty) {
      cell.isDirty = true
      this.#dirty.add(cell)
    }
    cell.lastRound = this.#round
    return cell
  }

  /**
   * Says that every dirty cell was written. Cells that have not changed for a while leave the memory; all that did not change since the last
   * flush do when there are more than `cellsMax`.
   */
  flushed(nowMs: number, cellsMax: number): void {
    for (const cell of this.#dirty) {
      cell.isDirty = false
      cell.isWhole = true
    }
    this.#dirty.clear()
    this.lastFlushMs = nowMs
    this.flushedPosition = this.appliedPosition
    const keptFrom = this.#size > cellsMax ? this.#round : this.#round - ROUNDS_KEPT
    this.#round++
    for (const [seriesId, minutes] of this.#cells) {
      for (const [minute, cell] of minutes) {
        if (cell.lastRound >= keptFrom) continue
        minutes.delete(minute)
        this.#size--
      }
      if (minutes.size === 0) this.#cells.delete(seriesId)
    }
  }
}
