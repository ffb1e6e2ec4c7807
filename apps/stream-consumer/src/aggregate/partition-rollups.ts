import { MINUTE_MS } from '@millrace/contracts'
import { DOUBLES, type FrameView, TIMESTAMP_DOUBLE, WORD, WORDS } from '../store/frame-view.js'
import { Rollup } from './rollup.js'
import type { Series } from './series-registry.js'

/**
 * A rollup that did not change during this number of flushes leaves the memory. A late record loads it again from the
 * table.
 */
const ROUNDS_KEPT = 90

/** The rollups of one stream partition that are in memory. */
export class PartitionRollups {
  readonly partition: number
  /** All records below this ordinal are counted, in memory or in the table. Its position in the stream follows. */
  appliedOrdinal: number
  appliedPosition: string
  /** All records up to this position are counted in the table. */
  flushedPosition: string
  lastFlushMs: number
  /** By series id, then by minute. Not by Series object: the same series may come as different objects. */
  readonly #rollups = new Map<number, Map<number, Rollup>>()
  readonly #dirty = new Set<Rollup>()
  #round = 0
  #size = 0

  constructor(partition: number, from: { ordinal: number; position: string; nowMs: number }) {
    this.partition = partition
    this.appliedOrdinal = from.ordinal
    this.appliedPosition = from.position
    this.flushedPosition = from.position
    this.lastFlushMs = from.nowMs
  }

  get dirty(): ReadonlySet<Rollup> {
    return this.#dirty
  }

  get size(): number {
    return this.#size
  }

  /** Estimate of the bytes that a flush would write. */
  get dirtyBytes(): number {
    let bytes = 0
    for (const rollup of this.#dirty) bytes += rollup.bytes
    return bytes
  }

  /**
   * Counts the stored records of a frame. `series` has an entry for each series of the frame, null where it cannot be
   * stored. Returns the number of records counted in each of these series.
   */
  addFrame(view: FrameView, series: readonly (Series | null)[], verdicts: Uint8Array | null): Uint32Array {
    const counts = new Uint32Array(series.length)
    const rollups: (Rollup | undefined)[] = new Array(series.length)
    const { words, doubles, records } = view
    for (let index = 0, at = 0, time = TIMESTAMP_DOUBLE; index < records; index++, at += WORDS, time += DOUBLES) {
      if (verdicts !== null && verdicts[index] !== 0) continue
      const s = (words[at + WORD.seriesTypeFlags] as number) & 0xffff
      const minute = Math.floor((doubles[time] as number) / MINUTE_MS)
      let rollup = rollups[s]
      if (rollup === undefined || rollup.minute !== minute) {
        rollup = this.#open(series[s], minute)
        if (rollup === undefined) continue
        rollups[s] = rollup
      }
      counts[s] = (counts[s] as number) + 1
      rollup.count++
      rollup.uniques.add(words[at + WORD.userHashLo] as number, words[at + WORD.userHashHi] as number)
    }
    this.#addPoints(view, { series, rollups, verdicts })
    return counts
  }

  #addPoints(
    { reader, words, doubles, records }: FrameView,
    {
      series,
      rollups,
      verdicts,
    }: { series: readonly (Series | null)[]; rollups: (Rollup | undefined)[]; verdicts: Uint8Array | null },
  ): void {
    reader.forEachPoint((index, s, value) => {
      if (index >= records || (verdicts !== null && verdicts[index] !== 0)) return
      const minute = Math.floor((doubles[index * DOUBLES + TIMESTAMP_DOUBLE] as number) / MINUTE_MS)
      let rollup = rollups[s]
      if (rollup === undefined || rollup.minute !== minute) {
        rollup = this.#open(series[s], minute)
        if (rollup === undefined) return
        rollups[s] = rollup
      }
      const at = index * WORDS
      const lo = words[at + WORD.userHashLo] as number
      const hi = words[at + WORD.userHashHi] as number
      if (rollup.sum !== null) rollup.addValue(value, lo, hi)
      else {
        rollup.count++
        rollup.uniques.add(lo, hi)
      }
    })
  }

  /** Returns the rollup of a series and minute and marks it as dirty; creates it if necessary. */
  #open(series: Series | null | undefined, minute: number): Rollup | undefined {
    if (series === null || series === undefined) return undefined
    let minutes = this.#rollups.get(series.id)
    if (minutes === undefined) {
      minutes = new Map()
      this.#rollups.set(series.id, minutes)
    }
    let rollup = minutes.get(minute)
    if (rollup === undefined) {
      rollup = new Rollup(series, minute)
      minutes.set(minute, rollup)
      this.#size++
    }
    if (!rollup.isDirty) {
      rollup.isDirty = true
      this.#dirty.add(rollup)
    }
    rollup.lastRound = this.#round
    return rollup
  }

  /**
   * To be called when all dirty rollups were written. Rollups that have not changed for a while leave the memory;
   * when more than `rollupsMax` are in memory, all that did not change since the last flush.
   */
  flushed(nowMs: number, rollupsMax: number): void {
    for (const rollup of this.#dirty) {
      rollup.isDirty = false
      rollup.isWhole = true
    }
    this.#dirty.clear()
    this.lastFlushMs = nowMs
    this.flushedPosition = this.appliedPosition
    const keptFrom = this.#size > rollupsMax ? this.#round : this.#round - ROUNDS_KEPT
    this.#round++
    for (const [seriesId, minutes] of this.#rollups) {
      for (const [minute, rollup] of minutes) {
        if (rollup.lastRound >= keptFrom) continue
        minutes.delete(minute)
        this.#size--
      }
      if (minutes.size === 0) this.#rollups.delete(seriesId)
    }
  }
}
