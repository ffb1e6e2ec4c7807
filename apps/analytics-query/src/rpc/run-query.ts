import type { RunQueryRequest, RunQueryResponse } from '@millrace/contracts'
import { bindCursor, unbindCursor } from '@millrace/pagination'
import { type CallContext, tenantOf } from '@millrace/service'
import type { AdmissionControl } from '../admission/admission-control.js'
import { type ServedAnswer, toStored } from '../answer-cache/answer-cache.js'
import type { Answers } from '../answer-cache/answers.js'
import type { ParsedQuery } from '../kinds/query-kind.js'
import type { QueryKinds } from '../kinds/query-kinds.js'
import type { QueryMetrics } from '../metrics.js'
import type { ReadOptions, Snapshot } from '../reads/snapshot.js'
import { queryOfCursor } from './query-of-cursor.js'
import { readOptionsOf } from './read-options.js'

export interface RunQueryDeps {
  readonly kinds: QueryKinds
  readonly reads: {
    readonly snapshot: Snapshot
    /** Admission control. Default: every query may run. */
    readonly admission?: AdmissionControl | undefined
  }
  /** The answer cache. Default: every query reads the database. */
  readonly answers?: Answers | undefined
  readonly metrics: QueryMetrics
  readonly now: () => number
}

/** Answers a query of any kind for the tenant of the call. */
export function createRunQuery({ kinds, reads, answers, metrics, now }: RunQueryDeps) {
  return async function handleRunQuery(
    request: RunQueryRequest,
    call: Pick<CallContext, 'tenant' | 'signal' | 'deadline'>,
  ): Promise<RunQueryResponse> {
    const tenantId = tenantOf(call)
    let options: ReadOptions = readOptionsOf(call, request)
    const query = kinds
      .find(request.kind)
      .parse(
        { ...request, cursor: unbindCursor(request.cursor, queryOfCursor(request)) },
        { tenantId, admission: reads.admission, read: (fn) => reads.snapshot(tenantId, fn, options), nowMs: now() },
      )
    const { minWatermarkMs } = options
    const waitedMs = await waitFor(minWatermarkMs, { tenantId, request, call, answers })
    const startedAt = performance.now()
    const isDirect = answers === undefined || request.explain
    const served: RunAnswer = isDirect
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
    metrics.observe(query.kind, served.source, tookMs / 1000)
    if (served.isStale) metrics.countStale()
    const isCacheable = !isDirect && !request.fresh && minWatermarkMs === undefined
    if (isCacheable) answers.popular.note(query.canonicalKey, tenantId, request)
    return {
      ...toResponse(served, { request, minWatermarkMs, tookMs, waitedMs }),
      cache: isCacheable ? answers.httpPolicyOf(served, { tenantId, query }) : undefined,
    }
  }
}

interface Served {
  readonly request: RunQueryRequest
  readonly minWatermarkMs: number | undefined
  readonly tookMs: number
  readonly waitedMs: number
}

function toResponse(
  { answer, source, ageMs, isStale, plan }: RunAnswer,
  { request, minWatermarkMs, tookMs, waitedMs }: Served,
): Omit<RunQueryResponse, 'cache'> {
  const { dataJson, summaryJson, nextCursor, watermarkMs } = answer
  const isBehind = minWatermarkMs !== undefined && (watermarkMs ?? Number.NEGATIVE_INFINITY) < minWatermarkMs
  return {
    dataJson,
    summaryJson,
    nextCursor: bindCursor(nextCursor, queryOfCursor(request)),
    meta: {
      source,
      ageMs,
      watermark: watermarkMs === null ? undefined : new Date(watermarkMs),
      tookMs,
      planJson: request.explain ? JSON.stringify(plan) : '',
      isStale,
      isBehind,
      waitedMs,
    },
  }
}

interface Waiting {
  readonly tenantId: number
  readonly request: RunQueryRequest
  readonly call: Pick<CallContext, 'signal' | 'deadline'>
  readonly answers: Answers | undefined
}

/**
 * Waits before the query takes a place in the queue, so that waiting queries hold no others up. Returns the time it
 * took, in ms.
 */
async function waitFor(watermarkMs: number | undefined, waiting: Waiting): Promise<number> {
  const { tenantId, request, call, answers } = waiting
  if (watermarkMs === undefined || answers === undefined) return 0
  const startedAt = performance.now()
  const { waitMs } = request
  const deadlineMs = call.deadline?.getTime()
  const hasWaited = await answers.watermarks.reach(watermarkMs, { tenantId, waitMs, deadlineMs, signal: call.signal })
  return hasWaited ? performance.now() - startedAt : 0
}

interface RunAnswer extends ServedAnswer {
  /** For `explain`; cached answers have none. */
  readonly plan?: unknown
}

async function readDirectly(query: ParsedQuery): Promise<RunAnswer> {
  const answer = await query.run()
  const { source, ageMs, plan } = answer.meta
  return { answer: toStored(answer, query), source, ageMs, isStale: false, plan }
}
