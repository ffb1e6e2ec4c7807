import { DAY_MS, type LateDay, NORMAL_DELAY_MS } from '@millrace/contracts'
import type { Database, DayPartitions, EventSegments, Transaction } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import {
  type AssignContext,
  type AssignedPartition,
  type FlushedPositions,
  FRAME_FLAG,
  type FrameBatch,
  type NewFrame,
  type StreamHandler,
} from '@millrace/streams'
import type { Tracer } from '@millrace/telemetry'
import { rebuildFromRows } from '../aggregate/rebuild-from-rows.js'
import { recoverRollups } from '../aggregate/recover-rollups.js'
import type { Rollups } from '../aggregate/rollups.js'
import type { Series, SeriesRegistry } from '../aggregate/series-registry.js'
import type { DedupWindows } from '../deduplicate/dedup-windows.js'
import type { LiveCounts } from '../live/live-counts.js'
import type { ConsumerAppMetrics } from '../metrics.js'
import { bumpLateDaysStatement, findLateDays } from '../store/late-days.js'
import { loadWindow } from '../store/load-window.js'
import { prepareBatch } from '../store/prepare-batch.js'
import type { EventFrame, PreparedBatch } from '../store/prepared-batch.js'
import { RowBuffers } from '../store/row-buffers.js'
import { type StoreDeps, storeBatch } from '../store/store-batch.js'
import { isStorableDay } from '../store/store-rows.js'

export interface EventsHandlerConfig {
  readonly stream: string
  readonly windowMs: number
  /** Maximum of ids, for all partitions of this process together. */
  readonly idsMax: number
}

export interface EventsHandlerDeps extends StoreDeps {
  readonly database: Database
  readonly dayPartitions: DayPartitions
  readonly segments: EventSegments
  readonly windows: DedupWindows
  readonly rollups: Rollups
  readonly registry: SeriesRegistry
  readonly live: LiveCounts
  /** Tells readers which days late records have changed. Called after the commit; the message may be lost. */
  readonly announceLate: (windows: readonly LateDay[]) => void
  /** Called after each commit with the bytes of payloads that are no longer used. */
  readonly onBytesFreed: (bytes: number) => void
  readonly metrics: ConsumerAppMetrics
  readonly logger: Logger
  readonly tracer: Tracer
  /** ms since the epoch. */
  readonly now: () => number
  readonly monotonicMs: () => number
}

/** A batch before its commit: verdicts, rows, and the series of each frame. */
export interface PreparedEvents {
  readonly batch: PreparedBatch
  /** One entry for each frame of the batch. */
  readonly series: readonly (readonly (Series | null)[])[]
  readonly startedMs: number
  /** Stored records by tenant and event; filled by `apply`. */
  readonly stored: { tenantId: number; event: string; count: number }[]
  /** Filled by `apply` too. */
  readonly late: LateDay[]
}

/**
 * Stores the frames of the `events` stream. Within a batch, memory (deduplication windows, rollups) is ahead of the
 * database. After a failure the stream engine revokes all partitions, and `assigned` rebuilds the memory from what is
 * committed.
 */
export class EventsHandler implements StreamHandler<PreparedEvents, Transaction> {
  readonly #config: EventsHandlerConfig
  readonly #deps: EventsHandlerDeps
  readonly #buffers = new RowBuffers()

  constructor(config: EventsHandlerConfig, deps: EventsHandlerDeps) {
    this.#config = config
    this.#deps = deps
  }

  async assigned(partitions: readonly AssignedPartition[], context: AssignContext): Promise<void> {
    for (const assigned of partitions) {
      await this.#loadWindow(assigned, Math.floor(this.#config.idsMax / partitions.length))
      await this.#loadRollups(assigned, context)
    }
  }

  async prepare({ frames }: FrameBatch): Promise<PreparedEvents> {
    const { windows, registry, now, monotonicMs } = this.#deps
    const startedMs = monotonicMs()
    const batch = prepareBatch(frames.map(toEventFrame), { windows, buffers: this.#buffers, nowMs: now() })
    await this.#ensureDays(batch)
    const keys = batch.frames.map(({ view }) => view?.reader.seriesKeys() ?? [])
    return { batch, series: await registry.resolve(keys), startedMs, stored: [], late: [] }
  }

  apply(prepared: PreparedEvents, tx: Transaction): Promise<FlushedPositions> {
    const frames = prepared.batch.frames.length
    return this.#deps.tracer.withSpan('store batch', { 'messaging.batch.message_count': frames }, () =>
      this.#apply(prepared, tx),
    )
  }

  async #apply({ batch, series, stored, late }: PreparedEvents, tx: Transaction): Promise<FlushedPositions> {
    const { rollups, metrics, monotonicMs } = this.#deps
    if (batch.frames.length > 0) await storeBatch(this.#config, this.#deps, { batch, tx })
    for (const [at, { frame, view, verdicts }] of batch.frames.entries()) {
      const names = series[at] ?? []
      const counts = rollups.apply(frame, view === null ? null : { view, series: names, verdicts })
      for (const [index, one] of names.entries()) {
        const count = counts[index] ?? 0
        if (one !== null && count > 0) stored.push({ tenantId: one.tenantId, event: one.event, count })
      }
    }
    const startedMs = monotonicMs()
    const flushed = await rollups.flush(tx, startedMs)
    metrics.observeFlush((monotonicMs() - startedMs) / 1000)
    late.push(...findLateDays(batch.frames))
    if (late.length > 0) tx.atCommit(bumpLateDaysStatement(late))
    return flushed
  }

  committed({ batch, stored, late, startedMs }: PreparedEvents): void {
    const { live, metrics, windows, segments, announceLate, onBytesFreed, now, monotonicMs } = this.#deps
    onBytesFreed(batch.frames.reduce((bytes, { frame }) => bytes + frame.payload.length, 0))
    for (const { dayMs, origins } of batch.days) segments.added(dayMs, origins.length)
    const [day] = batch.days
    if (day !== undefined) this.#buffers.release(day.buffer)
    for (const { tenantId, event, count } of stored) live.add(tenantId, event, count)
    if (late.length > 0) {
      announceLate(late)
      metrics.addLate(late.length)
    }
    metrics.observeCommitted(batch, (monotonicMs() - startedMs) / 1000)
    metrics.setWindow(windows.size, windows.coveredMs(now()) / 1000)
  }

  revoked(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#deps.windows.close(partition)
      this.#deps.rollups.close(partition)
    }
    // A day partition may have been dropped, which may be the reason for the failure.
    this.#deps.dayPartitions.forget()
    this.#deps.segments.forget()
  }

  wantsCommit(): boolean {
    return this.#deps.rollups.isDue(this.#deps.monotonicMs())
  }

  stopping(): void {
    this.#deps.rollups.stop()
  }

  async #ensureDays({ days }: PreparedBatch): Promise<void> {
    const { dayPartitions, now } = this.#deps
    const nowMs = now()
    // Journal rows have PostgreSQL's time, which may already be on the next day.
    if (!dayPartitions.isKnown('event_journal', nowMs + DAY_MS))
      await dayPartitions.ensure('event_journal', nowMs - DAY_MS, nowMs + DAY_MS)
    for (const day of days) {
      if (!isStorableDay(day)) continue
      for (const table of ['events', 'rollups_1m'] as const) {
        if (!dayPartitions.isKnown(table, day.dayMs)) await dayPartitions.ensure(table, day.dayMs, day.dayMs)
      }
    }
  }

  async #loadWindow({ partition, nextOrdinal }: AssignedPartition, idsMax: number): Promise<void> {
    const { database, windows } = this.#deps
    const { windowMs } = this.#config
    const span = { partition, nextOrdinal, idsMax, windowMs }
    const withoutUsersMs = await loadWindow(database, windows.open(partition), span)
    windows.noteHashesWithoutUsers(partition, withoutUsersMs)
  }

  async #loadRollups(assigned: AssignedPartition, context: AssignContext): Promise<void> {
    const { rollups, database, registry, monotonicMs, logger, dayPartitions } = this.#deps
    const { partition, flushedOrdinal, flushedPosition } = assigned
    const from = { ordinal: flushedOrdinal, position: flushedPosition, nowMs: monotonicMs() }
    rollups.open(partition, from)
    const missing = await recoverRollups({ database, rollups, registry }, assigned, () => context.replay(partition))
    if (missing !== null) {
      logger.warn(
        'the stream no longer holds frames whose rollups were not written; their stored rows are counted instead',
        {
          partition,
          ...missing,
        },
      )
      rollups.open(partition, from)
      await rebuildFromRows({ database, rollups, registry }, assigned)
    }
    for (const day of rollups.dirtyDays(partition)) await dayPartitions.ensure('rollups_1m', day, day)
  }
}

function toEventFrame({ partition, position, header, payload, firstOrdinal, watermarkMaxMs }: NewFrame): EventFrame {
  const lateBeforeMs = watermarkMaxMs - NORMAL_DELAY_MS
  return {
    partition,
    position,
    producer: header.producer,
    sequence: header.sequence,
    records: header.records,
    firstOrdinal,
    payload,
    isReplay: (header.flags & FRAME_FLAG.replay) !== 0,
    lateBeforeMs: header.firstTimeMs < lateBeforeMs ? lateBeforeMs : null,
  }
}
