import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '@millrace/database'
import type { Lifecycle } from '@millrace/service'
import type { Config } from '../../config.js'
import type { CutWishes } from '../cut-wishes.js'
import { DayPacker } from './day-packer.js'
import { keepPacking } from './keep-packing.js'

export interface PackingDeps {
  readonly database: Database
  /** What queries ask of packed days. */
  readonly wishes: CutWishes
  /** Whether queries wait for their turn. */
  readonly isBusy: () => boolean
}

/** How many times as long as a piece of work took nothing is packed: two of three parts of a connection's time are left to queries. */
const REST = 2

/** Packs days that are over in the background, on the primary; with an interval of 0 nobody does. */
export async function openPacking(
  config: Config,
  lifecycle: Lifecycle,
  { database, wishes, isBusy }: PackingDeps,
): Promise<void> {
  const intervalMs = config.PACK_DAYS_INTERVAL_MS
  if (intervalMs === 0) return
  const { metrics } = lifecycle
  const counter = metrics.counter({
    name: 'millrace_journey_days_packed_total',
    help: 'Days of events that were packed, including days that were packed again after a late event',
  })
  const packed = counter.with({})
  const stream = { stream: config.STREAM_NAME, consumerGroup: config.STREAM_GROUP }
  // Stopping ends the rest.
  const rest = (tookMs: number, signal: AbortSignal) =>
    delay(Math.min(REST * tookMs, intervalMs), undefined, { signal }).catch(() => undefined)
  const packer = new DayPacker(stream, { database, wishes, isBusy, rest })
  await keepPacking({ intervalMs }, { lifecycle, packer, wishes, onPacked: (days) => packed.inc(days) })
}
