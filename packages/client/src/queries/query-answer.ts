// Copied by scripts/generate.mjs from packages/contracts. DO NOT EDIT.

/**
 * One point of an answer; which parts it has depends on the kind of query (docs/architecture.md section 9).
 * Rates are fractions from 0 to 1, durations seconds.
 */
export interface QueryPoint {
  /** Start of the bucket or cohort as ISO text; absent without an interval. */
  readonly time?: string
  /** By the paths of `group_by`; a field that the events do not have is left out. Absent without `group_by`. */
  readonly group?: Readonly<Record<string, string>>
  /** funnel: the step, from 0. */
  readonly step?: number
  /** retention: periods since the cohort's, from 0. */
  readonly period?: number
  /** null when there is nothing to average, compare or rank. */
  readonly value: number | null
  /** With `compare`: the value of the same bucket and group a period earlier, null where there is none. */
  readonly previous?: number | null
  /** Further results by name; null like `value`. */
  readonly values?: Readonly<Record<string, number | null>>
}

export interface QueryAnswerMeta {
  /** A cache (memory of the service, Redis), or what the answer was made of now: rollups, raw rows or both. */
  readonly source: 'memory' | 'redis' | 'rollup' | 'raw' | 'mixed'
  /** Milliseconds since the answer was made of stored events. */
  readonly age_ms: number
  /** Up to when everything accepted is in the answer; null when no consumer has said so yet. */
  readonly watermark: string | null
  /** Milliseconds that answering took, without the way to the client. */
  readonly took_ms: number
  /** An older answer stands in for one that could not be had now. */
  readonly is_stale?: boolean
  /** `min_watermark` was not reached in time: the answer goes up to `watermark` only. */
  readonly is_behind?: boolean
  /** Milliseconds of waiting for `min_watermark`, besides `took_ms`; absent when there was nothing to wait for. */
  readonly waited_ms?: number
  /** With `explain`. */
  readonly plan?: unknown
}

/** The answer to a query of any kind. `S` is what the kind adds about the whole, `P` its points. */
export interface QueryAnswer<S = unknown, P extends QueryPoint = QueryPoint> {
  readonly data: readonly P[]
  readonly summary?: S
  /** null on the last page. */
  readonly next_cursor: string | null
  readonly meta: QueryAnswerMeta
}
