import type { QueryMeta } from '@millrace/contracts'
import { bindCursor } from '@millrace/pagination'
import type { CallContext } from '@millrace/service'
import type { StepRow } from '../lists/list-statement.js'
import { type WalkList, walkList } from '../lists/walk-list.js'
import type { QueryMetrics } from '../metrics.js'
import type { Snapshot } from '../reads/snapshot.js'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from '../reads/watermark-statement.js'
import { type PagedRequest, queryOfCursor } from './query-of-cursor.js'
import { readOptionsOf } from './read-options.js'

export interface ReadListDeps {
  readonly snapshot: Snapshot
  readonly metrics: QueryMetrics
  readonly monotonicMs?: () => number
}

export type ListCall = Pick<CallContext, 'tenant' | 'signal' | 'deadline'>

export interface ListReading<Row extends StepRow> extends Omit<WalkList<Row>, 'monotonicMs'> {
  /** Label of the duration metric. */
  readonly kind: string
  readonly tenantId: number
  readonly request: PagedRequest
}

export interface ListAnswer {
  readonly dataJson: Buffer
  readonly nextCursor: string
  readonly meta: QueryMeta
  /** The rows of each statement of `beside`. */
  readonly beside: readonly unknown[][]
}

/** Reads one page of a list for the tenant of the call, with the watermark of the same snapshot. */
export async function readList<Row extends StepRow>(
  { stream, consumerGroup }: WatermarkConfig,
  { snapshot, metrics, monotonicMs = () => performance.now() }: ReadListDeps,
  { call, reading }: { call: ListCall; reading: ListReading<Row> },
): Promise<ListAnswer> {
  const startedAt = performance.now()
  const beside = [watermarkStatement({ stream, consumerGroup }), ...reading.beside]
  const read = () =>
    snapshot(reading.tenantId, (tx) => walkList(tx, { ...reading, beside, monotonicMs }), readOptionsOf(call))
  const { dataJson, cursor, beside: found } = await read()
  const tookMs = performance.now() - startedAt
  metrics.observe(reading.kind, 'raw', tookMs / 1000)
  const [mark, ...others] = found
  const watermark = (mark as WatermarkRow[] | undefined)?.[0]?.watermark ?? undefined
  return {
    dataJson,
    nextCursor: bindCursor(cursor, queryOfCursor(reading.request)),
    meta: { source: 'raw', ageMs: 0, watermark, tookMs, planJson: '', isStale: false, isBehind: false, waitedMs: 0 },
    beside: others,
  }
}
