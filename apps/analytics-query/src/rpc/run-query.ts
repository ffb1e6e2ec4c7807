import type { RunQueryRequest, RunQueryResponse } from '@millrace/contracts'
import type { CallContext } from '@millrace/service'
import type { RunCells } from '../execute/run-cells.js'
import type { Snapshot } from '../execute/snapshot.js'
import type { ReadMarks } from '../journeys/read-marks.js'
import { findQueryKind } from '../kinds/query-kinds.js'
import type { ReadLogins } from '../logins/read-logins.js'
import type { QueryMetrics } from '../metrics.js'
import { readOptionsOf } from './read-options.js'
import { tenantOf } from './tenant-of.js'

export interface RunQueryDeps {
  readonly runCells: RunCells
  readonly readMarks: ReadMarks
  readonly readLogins: ReadLogins
  readonly snapshot: Snapshot
  readonly metrics: QueryMetrics
  readonly now: () => number
}

/** Answers any kind of query for the caller's tenant and says where the answer came from. */
export function createRunQuery(
  { bucketsMax, cellsMax }: { readonly bucketsMax: number; readonly cellsMax: number },
  { runCells, readMarks, readLogins, snapshot, metrics, now }: RunQueryDeps,
) {
  return async function handleRunQuery(request: RunQueryRequest, call: CallContext): Promise<RunQueryResponse> {
    const tenantId = tenantOf(call)
    const kind = findQueryKind(request.kind)
    const query = kind.parse(request, {
      tenantId,
      read: (fn) => snapshot(tenantId, fn, readOptionsOf(call, request)),
      nowMs: now(),
      bucketsMax,
      cellsMax,
      runCells,
      readMarks,
      readLogins,
    })
    const startedAt = performance.now()
    const { data, summary, nextCursor, meta } = await query.run()
    const tookMs = performance.now() - startedAt
    metrics.observe(kind.name, meta.source, tookMs / 1000)
    return {
      dataJson: toJson(data),
      summaryJson: summary === undefined ? Buffer.alloc(0) : toJson(summary),
      nextCursor,
      meta: {
        source: meta.source,
        ageMs: meta.ageMs,
        watermark: meta.watermarkMs === null ? undefined : new Date(meta.watermarkMs),
        tookMs,
        planJson: request.explain ? JSON.stringify(meta.plan) : '',
        isStale: false,
      },
      cache: undefined,
    }
  }
}

function toJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
