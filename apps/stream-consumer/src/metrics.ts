import type { Metrics } from '@millrace/telemetry'
import type { PreparedBatch } from './store/prepared-batch.js'

const OUTCOMES = ['stored', 'duplicate', 'dead_lettered'] as const

/** The metrics of this service. Lag, leases and commits of each partition are in the stream's consumer metrics. */
export class ConsumerAppMetrics {
  readonly #outcomes
  readonly #batchRecords
  readonly #batchSeconds
  readonly #windowIds
  readonly #windowSeconds
  readonly #rollupFlushSeconds
  readonly #compactedWindows
  readonly #closedSessions
  readonly #deletedRows
  readonly #lateWindows

  constructor(metrics: Metrics) {
    const records = metrics.counter({
      name: 'millrace_consumer_records_total',
      help: 'Records by their verdict: stored, duplicate or dead_lettered.',
      labels: ['outcome'] as const,
    })
    this.#outcomes = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, records.with({ outcome })])) as Record<
      (typeof OUTCOMES)[number],
      ReturnType<typeof records.with>
    >
    this.#batchRecords = metrics
      .histogram({
        name: 'millrace_consumer_batch_records',
        help: 'Records in one transaction.',
        buckets: [1, 10, 100, 500, 1000, 2500, 5000, 10_000, 20_000],
      })
      .with({})
    this.#batchSeconds = metrics
      .histogram({
        name: 'millrace_consumer_batch_seconds',
        help: 'Time from preparing a batch to its commit.',
        buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      })
      .with({})
    this.#windowIds = metrics
      .gauge({ name: 'millrace_dedup_window_ids', help: 'Message ids that are remembered for deduplication.' })
      .with({})
    this.#windowSeconds = metrics
      .gauge({
        name: 'millrace_dedup_window_covered_seconds',
        help: 'For how long every message id has been remembered: the deduplication window, or less when DEDUP_IDS_MAX is reached.',
      })
      .with({})
    this.#rollupFlushSeconds = metrics
      .histogram({
        name: 'millrace_rollup_flush_seconds',
        help: 'Time to write rollups within the transaction of a batch.',
        buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
      })
      .with({})
    this.#compactedWindows = metrics
      .counter({
        name: 'millrace_rollup_compacted_windows_total',
        help: 'Coarser rollup windows that the compactor rebuilt.',
      })
      .with({})
    this.#closedSessions = metrics
      .counter({ name: 'millrace_sessions_closed_total', help: 'Sessions that were ended because they were idle.' })
      .with({})
    this.#deletedRows = metrics.counter({
      name: 'millrace_retention_deleted_rows_total',
      help: 'Rows beyond their retention that were deleted one by one, not with a day partition, by table.',
      labels: ['table'] as const,
    })
    this.#lateWindows = metrics
      .counter({
        name: 'millrace_consumer_late_windows_total',
        help: 'Combinations of event name and day that late records have changed, counted per batch.',
      })
      .with({})
  }

  observeCommitted({ frames }: PreparedBatch, seconds: number): void {
    if (frames.length === 0) return
    let records = 0
    let duplicates = 0
    let deadLettered = 0
    for (const frame of frames) {
      records += frame.frame.records
      duplicates += frame.duplicates
      deadLettered += frame.deadLettered
    }
    this.#outcomes.stored.inc(records - duplicates - deadLettered)
    this.#outcomes.duplicate.inc(duplicates)
    this.#outcomes.dead_lettered.inc(deadLettered)
    this.#batchRecords.observe(records)
    this.#batchSeconds.observe(seconds)
  }

  setWindow(ids: number, coveredSeconds: number): void {
    this.#windowIds.set(ids)
    this.#windowSeconds.set(coveredSeconds)
  }

  observeFlush(seconds: number): void {
    this.#rollupFlushSeconds.observe(seconds)
  }

  addCompacted(windows: number): void {
    this.#compactedWindows.inc(windows)
  }

  addLate(windows: number): void {
    this.#lateWindows.inc(windows)
  }

  addDeleted(table: string, rows: number): void {
    this.#deletedRows.with({ table }).inc(rows)
  }

  addClosedSessions(sessions: number): void {
    this.#closedSessions.inc(sessions)
  }
}

/** Values that are read when metrics are scraped. */
export interface ConsumerGauges {
  readonly rollupsInMemory: () => number
  readonly dirtyRollups: () => number
  readonly watchers: () => number
  readonly watermark: () => Date | null
}

/** Registers gauges that are read at each scrape. To be called once per process. */
export function readGaugesAtScrape(metrics: Metrics, read: ConsumerGauges): void {
  metrics.gauge(
    { name: 'millrace_rollup_cells', help: 'Rollups in memory, one for each series, minute and partition.' },
    (family) => family.with({}).set(read.rollupsInMemory()),
  )
  metrics.gauge(
    { name: 'millrace_rollup_dirty_cells', help: 'Rollups in memory that are not written yet.' },
    (family) => family.with({}).set(read.dirtyRollups()),
  )
  metrics.gauge({ name: 'millrace_live_watchers', help: 'Open gRPC streams of live counts.' }, (family) =>
    family.with({}).set(read.watchers()),
  )
  metrics.gauge(
    {
      name: 'millrace_consumer_watermark_age_seconds',
      help: 'Age of the watermark: everything that was accepted before is stored. Absent while it is unknown.',
      alert: 'above 60, or absent',
    },
    (family) => {
      const watermark = read.watermark()
      if (watermark === null) family.remove({})
      else family.with({}).set(Math.max(0, Date.now() - watermark.getTime()) / 1000)
    },
  )
}
