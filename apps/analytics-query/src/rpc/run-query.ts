import type { RunQueryRequest, RunQueryResponse } from '@millrace/contracts'
import type { CallContext } from '@millrace/service'
import type { CostGuard } from '../admission/cost-guard.js'
import { type GivenAnswer, toStored } from '../answer-cache/answer-cache.js'
import type { Answers } from '../answer-cache/open-answers.js'
import type { RunCells } from '../cells/run-cells.js'
import type { ReadDaily } from '../daily-report/read-daily.js'
import type { ReadMarks } from '../journeys/read-marks.js'
import type { ParsedQuery } from '../kinds/query-kind.js'
import { findQueryKind } from '../kinds/query-kinds.js'
import type { ReadLogins } from '../logins/read-logins.js'
import type { QueryMetrics } from '../metrics.js'
import type { ReadOptions, Snapshot } from '../reads/snapshot.js'
import { openCursor, sealCursor } from './cursor-mark.js'
import { readOptionsOf } from './read-options.js'
import { tenantOf } from './tenant-of.js'

export interface RunQueryDeps {
  readonly runCells: RunCells
  readonly readMarks: ReadMarks
  readonly readLogins: ReadLogins
  readonly readDaily: ReadDaily
  readonly snapshot: Snapshot
  /** Refuses what is too expensive. Default: nothing is. */
  readonly guard?: CostGuard | undefined
  /** Without them every query is read. */
  readonly answers?: Answers | undefined
  readonly metrics: QueryMetrics
  readonly now: () => number
}

/** Answers any kind of query for the caller's tenant and says where the answer came from. */
export function createRunQuery(
  { bucketsMax, cellsMax }: { readonly bucketsMax: number; readonly cellsMax: number },
  { runCells, readMarks, readLogins, readDaily, snapshot, guard, answers, metrics, now }: RunQueryDeps,
) {
  return async function handleRunQuery(
    request: RunQueryRequest,
    call: Pick<CallContext, 'tenant' | 'signal' | 'deadline'>,
  ): Promise<RunQueryResponse> {
    const tenantId = tenantOf(call)
    let options: ReadOptions = readOptionsOf(call, request)
    const kind = findQueryKind(request.kind)
    const query = kind.parse(
      { ...request, cursor: openCursor(request) },
      {
        tenantId,
        guard,
        read: (fn) => snapshot(tenantId, fn, options),
        nowMs: now(),
        bucketsMax,
        cellsMax,
        runCells,
        readMarks,
        readLogins,
        readDaily,
      },
    )
    const { minWatermarkMs } = options
    const waitedMs = await waitFor(minWatermarkMs, { tenantId, request, call, answers })
    const startedAt = performance.now()
    const isDirect = answers === undefined || request.explain
    const given: Given = isDirect
      ? await readDirectly(query)
      : await answers.cache.answer({
          tenantId,
          query,
          run: (signal) => {
            options = { signal, minWatermarkMs }
            return query.run()
          },
          isFresh: request.fresh,
          minWatermarkMs,
        })
    const tookMs = performance.now() - startedAt
    metrics.observe(kind.name, given.source, tookMs / 1000)
    if (given.isStale) metrics.countStale()
    const isUsual = !isDirect && !request.fresh && minWatermarkMs === undefined
    if (isUsual) answers.popular.note(query.canonicalKey, tenantId, request)
    const { dataJson, summaryJson, nextCursor, watermarkMs } = given.answer
    const isBehind = minWatermarkMs !== undefined && (watermarkMs ?? Number.NEGATIVE_INFINITY) < minWatermarkMs
    return {
      dataJson,
      summaryJson,
      nextCursor: sealCursor(nextCursor, request),
      meta: {
        source: given.source,
        ageMs: given.ageMs,
        watermark: watermarkMs === null ? undefined : new Date(watermarkMs),
        tookMs,
        planJson: request.explain ? JSON.stringify(given.plan) : '',
        isStale: given.isStale,
        isBehind,
        waitedMs,
      },
      cache: isUsual ? answers.httpPolicyOf(given, { tenantId, query }) : undefined,
    }
  }
}

interface Asked {
  readonly tenantId: number
  readonly request: RunQueryRequest
  readonly call: Pick<CallContext, 'signal' | 'deadline'>
  readonly answers: Answers | undefined
}

/** Before the queue, so that whoever waits holds nobody up. Returns how long it took, in ms. */
async function waitFor(watermarkMs: number | undefined, asked: Asked): Promise<number> {
  const { tenantId, request, call, answers } = asked
  if (watermarkMs === undefined || answers === undefined) return 0
  const startedAt = performance.now()
  const { waitMs } = request
  const deadlineMs = call.deadline?.getTime()
  const hasWaited = await answers.watermarks.reach(watermarkMs, { tenantId, waitMs, deadlineMs, signal: call.signal })
  return hasWaited ? performance.now() - startedAt : 0
}

interface Given extends GivenAnswer {
  readonly plan?: unknown
}

async function readDirectly(query: ParsedQuery): Promise<Given> {
  const answer = await query.run()
  const { source, ageMs, plan } = answer.meta
  return { answer: toStored(answer, query), source, ageMs, isStale: false, plan }
}
