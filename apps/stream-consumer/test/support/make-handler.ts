import type { LateDay } from '@millrace/contracts'
import { type Database, DayPartitions, EventSegments } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { createMetrics, noopTracer } from '@millrace/telemetry'
import { Rollups } from '../../src/aggregate/rollups.js'
import { SeriesRegistry } from '../../src/aggregate/series-registry.js'
import { DedupWindows } from '../../src/deduplicate/dedup-windows.js'
import { LiveCounts } from '../../src/live/live-counts.js'
import { ConsumerAppMetrics } from '../../src/metrics.js'
import { EventsHandler } from '../../src/stream/events-handler.js'
import { createTypedSteps } from '../../src/typed/typed-steps.js'

export interface HandlerOptions {
  windowMs?: number
  idsMax?: number
  flushMs?: number
  eagerBytesPerSecond?: number
  rollupsMax?: number
  seriesMax?: number
  now?: () => number
  monotonicMs?: () => number
  announceLate?: (windows: readonly LateDay[]) => void
}

/** An events handler as run.ts creates it, with the parts that a test may inspect. */
export function makeHandler(database: Database, options: HandlerOptions = {}) {
  const windowMs = options.windowMs ?? 86_400_000
  const idsMax = options.idsMax ?? 1_000_000
  const windows = new DedupWindows({ windowMs, idsMax })
  const rollups = new Rollups({
    flushMs: options.flushMs ?? 1000,
    eagerBytesPerSecond: options.eagerBytesPerSecond ?? 1_000_000,
    eagerPauseMs: 0,
    rollupsMax: options.rollupsMax ?? 10_000,
  })
  const live = new LiveCounts()
  const handler = new EventsHandler(
    { stream: 'events', windowMs, idsMax },
    {
      database,
      windows,
      rollups,
      live,
      typedSteps: createTypedSteps(),
      registry: new SeriesRegistry({ seriesMax: options.seriesMax ?? 10_000 }, { database }),
      dayPartitions: new DayPartitions(database),
      segments: new EventSegments({ bytesMin: 1e9 }, database),
      metrics: new ConsumerAppMetrics(createMetrics({ service: 'test', hasProcessMetrics: false })),
      logger: silentLogger,
      tracer: noopTracer,
      announceLate: options.announceLate ?? (() => undefined),
      onBytesFreed: () => undefined,
      now: options.now ?? Date.now,
      monotonicMs: options.monotonicMs ?? (() => performance.now()),
    },
  )
  return { handler, windows, rollups, live }
}
