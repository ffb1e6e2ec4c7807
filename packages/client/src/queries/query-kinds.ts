// Copied by scripts/generate.mjs from packages/contracts. DO NOT EDIT.

import type { QueryAnswer, QueryPoint } from './query-answer.js'

/** What an event must be like; all filters of a query must hold. */
export interface QueryFilter {
  /** event, type, user_id, anonymous_id, message_id, or a path such as properties.flight.carrier or context.locale. */
  readonly property: string
  /** Default eq. `ne`, `not_in`, `not_exists` and `not_prefix` hold for an event without the field too; gt, gte, lt, lte compare numbers with numbers and texts with texts. */
  readonly op?:
    | 'eq'
    | 'ne'
    | 'in'
    | 'not_in'
    | 'gt'
    | 'gte'
    | 'lt'
    | 'lte'
    | 'exists'
    | 'not_exists'
    | 'prefix'
    | 'not_prefix'
    | undefined
  /** A text, a number or a boolean; a list of 1 to 1000 of them for `in` and `not_in`; nothing for `exists` and `not_exists`. */
  readonly value?: unknown
}

export interface QueryMetric {
  /** Default count. count is of events, uniques of users (2 % off at most); the others are of the numeric values of `property`, p50, p95 and p99 within 1 %. */
  readonly agg: 'count' | 'sum' | 'avg' | 'min' | 'max' | 'p50' | 'p95' | 'p99' | 'uniques'
  /** A path such as properties.delay; needed by all but count and uniques. */
  readonly property?: string | undefined
}

export type QueryInterval = '1m' | '5m' | '1h' | '1d' | '1w' | '1mo'

/**
 * What may be asked of every kind. Times are RFC 3339 texts. `from` and `to` may be days without a time (2026-10-01), which begin at midnight of `timezone`, or
 * with the day's first moment where clocks skip midnight.
 */
interface AnyQuery {
  /** Inclusive; default 24 hours before `to`. */
  readonly from?: string | undefined
  /** Exclusive; default the end of this minute. */
  readonly to?: string | undefined
  /** IANA name; days without a time, and buckets of days and longer, begin at its midnight. Default UTC. */
  readonly timezone?: string | undefined
  /** At most 20. */
  readonly filters?: readonly QueryFilter[] | undefined
  /** Points of a page. */
  readonly limit?: number | undefined
  /** `next_cursor` of the page before. */
  readonly cursor?: string | undefined
  /**
   * The answer holds everything accepted up to here, such as the watermark of another answer: it is waited for, and kept answers that are older are
   * passed by. When it is not reached in time `meta.is_behind` says so, and `meta.watermark` how far the answer goes.
   */
  readonly min_watermark?: string | undefined
  /** How long to wait for `min_watermark` at most: milliseconds, or a length such as `5s`. Default 2 s, at most 10 s as the service is installed; 0: not at all. */
  readonly wait?: number | string | undefined
  /** Fails with WATERMARK_NOT_REACHED (503, worth repeating) when `min_watermark` is not reached in time. Default false. */
  readonly strict?: boolean | undefined
  /** Passes every cache by. Default false. */
  readonly fresh?: boolean | undefined
  /** Puts the plan into `meta.plan`. Default false. */
  readonly explain?: boolean | undefined
}

interface EventQuery extends AnyQuery {
  /** Name of the event; absent: all. */
  readonly event?: string | undefined
}

interface Grouped {
  /** Paths as in filters, at most 3. */
  readonly group_by?: readonly string[] | undefined
}

interface Compared {
  /**
   * Adds `previous` to each point: the same query over the period before, which is the range moved back by the least number of whole units that ends it at
   * `from` or earlier. Units are of the calendar of `timezone`: months for `1mo` and, without an interval, for ranges of whole months (October is compared with
   * September); weeks for `1w`; days for `1d` and ranges of whole days, of which one has 23 or 25 hours when clocks change; else the interval, or the range's
   * own length. Null where nothing stood then.
   */
  readonly compare?: 'previous' | undefined
}

interface Bucketed extends Grouped, Compared {
  /** Length of a bucket; absent: one point for the whole range. */
  readonly interval?: QueryInterval | undefined
  /** What stands in a bucket without events: 0, null, or nothing at all. */
  readonly fill?: 'zero' | 'null' | 'none' | undefined
}

/** A metric over time. `limit` is 10,000 at most, and by default. */
export interface TimeseriesQuery extends EventQuery, Bucketed {
  /** Default count. */
  readonly metric?: QueryMetric | undefined
  /** Default 1h. */
  readonly interval?: QueryInterval | undefined
}

/**
 * The groups with the greatest values, greatest first. `limit` is 10 by default, 1000 at most. Each page has the greatest of the groups that were on none before;
 * beyond 500 groups it fails with CURSOR_OUTDATED (409) when others have come among those shown.
 */
export interface TopQuery extends EventQuery, Compared {
  readonly metric?: QueryMetric | undefined
  /** 1 to 3 paths. */
  readonly group_by: readonly string[]
}

/** Every group with its value, in the order of their names. `limit` is 100 by default, 1000 at most. */
export interface BreakdownQuery extends EventQuery, Compared {
  readonly metric?: QueryMetric | undefined
  /** 1 to 3 paths. */
  readonly group_by: readonly string[]
}

/** Distinct users, in all or over time: the user id, or the anonymous id where there is none. At most 2 % off. */
export interface UniquesQuery extends EventQuery, Bucketed {}

/** p50, p95 and p99 of a numeric property, within 1 %, in all or over time. */
export interface PercentilesQuery extends EventQuery, Bucketed {
  readonly metric: {
    /** Which of them is `value`; default p50. */
    readonly agg?: 'p50' | 'p95' | 'p99' | undefined
    readonly property: string
  }
}

export interface FunnelStep {
  readonly event: string
  /** Of this step alone. */
  readonly filters?: readonly QueryFilter[] | undefined
}

/** How many users went through steps in their order. `limit` is 1000 by default, 10,000 at most. */
export interface FunnelQuery extends AnyQuery, Grouped, Compared {
  /** 2 to 10; a text stands for an event without filters. */
  readonly steps: readonly (string | FunnelStep)[]
  /** How long after the first step the last one counts: milliseconds, or a text such as 30m or 14d. Default 14d. */
  readonly window?: number | string | undefined
}

/**
 * Which part of the users who did something in one period came back in the next ones. There is no `compare`: the cohorts before stand beside the later ones in
 * one answer over a longer range, where each has had its own time to come back.
 */
export interface RetentionQuery extends AnyQuery, Grouped {
  /** What makes a user one of a cohort; absent: any event. */
  readonly event?: string | undefined
  /** What a user who comes back does; absent: any event. */
  readonly return_event?: string | undefined
  /** Length of a period. Default 1d. */
  readonly interval?: '1d' | '1w' | '1mo' | undefined
  /** How many periods are followed after the cohort's own, 366 at most. Default: as many as the range has. */
  readonly periods?: number | undefined
}

/** Visits: events of one user without a long gap between them. */
export interface SessionsQuery extends EventQuery, Bucketed {
  /** The gap that ends a session: milliseconds, or a text such as 30m. Default 30m. */
  readonly window?: number | string | undefined
}

/** Attempts to log in ($login events). `group_by` takes method, device, browser and os. */
export interface LoginsQuery extends AnyQuery, Bucketed {}

/**
 * The standing report by UTC day; a range is widened to whole days. Complete days come from a view, the others are counted now.
 * `from` is 90 days before the end by default.
 */
export interface DailyQuery extends Omit<AnyQuery, 'filters' | 'timezone'> {
  readonly timezone?: 'UTC' | undefined
}

/** A rate from 0 to 1 or a number of seconds; null where there is nothing to measure. */
type Measured = number | null

interface Measures {
  /** With a metric of a property; absent in buckets without events. */
  readonly values?: {
    /** Events that have a number there. */
    readonly count: number
    /** With the metrics p50, p95 and p99. */
    readonly p50?: Measured
    readonly p95?: Measured
    readonly p99?: Measured
  }
}

export type TimeseriesPoint = QueryPoint & Measures & { readonly time: string }
export type GroupPoint = QueryPoint & Measures & { readonly group: Readonly<Record<string, string>> }
export type UniquesPoint = QueryPoint
export type PercentilesPoint = QueryPoint & {
  readonly values: { readonly p50?: Measured; readonly p95?: Measured; readonly p99?: Measured; readonly count: number }
}

/** `value` is users who reached the step. */
export type FunnelPoint = QueryPoint & {
  readonly step: number
  readonly value: number
  readonly values: {
    /** Of those who entered the first step. */
    readonly conversion_rate: Measured
    /** Of those who reached the step before. */
    readonly step_conversion_rate: Measured
    /** Since the step before. */
    readonly seconds_avg: Measured
    readonly seconds_p50: Measured
    readonly seconds_p95: Measured
  }
}

/** `time` is the cohort, `period` counts from 0, `value` is users who came back. */
export type RetentionPoint = QueryPoint & {
  readonly time: string
  readonly period: number
  readonly value: number
  readonly values: { readonly rate: Measured; readonly cohort_size: number }
}

/** `value` is sessions; null only in buckets filled so. */
export type SessionsPoint = QueryPoint & {
  readonly values: {
    readonly users: number
    readonly events: number
    /** Sessions of one event. */
    readonly bounce_rate: Measured
    readonly seconds_avg: Measured
    readonly seconds_p50: Measured
    readonly seconds_p95: Measured
  }
}

/** `value` is attempts; null only in buckets filled so. */
export type LoginsPoint = QueryPoint & {
  readonly values: {
    readonly succeeded: number
    readonly failed: number
    readonly success_rate: Measured
    readonly users: number
  }
}

/** `value` is events. */
export type DailyPoint = QueryPoint & {
  readonly time: string
  readonly value: number
  readonly values: {
    readonly events: number
    readonly users: number
    /** Of the property that the operator has named (properties.duration_ms by default); null where no rollup keeps it. */
    readonly avg_response_ms: Measured
  }
}

/** Of the whole funnel: users in its first and in its last step. */
export interface FunnelSummary {
  readonly entered: number
  readonly converted: number
  readonly conversion_rate: number | null
}

/** The sessions of the whole range. */
export interface SessionsSummary {
  readonly sessions: number
  readonly users: number
  readonly events: number
  readonly bounce_rate: number | null
  readonly seconds_avg: number | null
  readonly seconds_p50: number | null
  readonly seconds_p95: number | null
}

export interface LoginCounts {
  readonly attempts: number
  readonly succeeded: number
  readonly failed: number
  readonly success_rate: number | null
}

/** The counts of one method, device, browser or system. */
export interface LoginShare extends LoginCounts {
  readonly name: string
}

export interface RecentLogin {
  readonly time: string
  readonly user_id: string | null
  readonly success: boolean
  readonly method: string | null
  readonly device: string | null
  readonly browser: string | null
  readonly os: string | null
  readonly failure_reason: string | null
}

/** The logins of the whole range; lists with the most frequent first, recent logins with the newest. */
export interface LoginsSummary {
  readonly totals: LoginCounts & { readonly users: number }
  readonly methods: readonly LoginShare[]
  readonly devices: readonly LoginShare[]
  readonly browsers: readonly LoginShare[]
  readonly systems: readonly LoginShare[]
  readonly recent: readonly RecentLogin[]
}

/** What each kind of query is asked and how it answers: GET or POST /api/v1/query/{kind}. */
export interface QueryKinds {
  timeseries: { query: TimeseriesQuery; answer: QueryAnswer<undefined, TimeseriesPoint> }
  top: { query: TopQuery; answer: QueryAnswer<undefined, GroupPoint> }
  breakdown: { query: BreakdownQuery; answer: QueryAnswer<undefined, GroupPoint> }
  uniques: { query: UniquesQuery; answer: QueryAnswer<undefined, UniquesPoint> }
  percentiles: { query: PercentilesQuery; answer: QueryAnswer<undefined, PercentilesPoint> }
  funnel: { query: FunnelQuery; answer: QueryAnswer<FunnelSummary, FunnelPoint> }
  retention: { query: RetentionQuery; answer: QueryAnswer<undefined, RetentionPoint> }
  sessions: { query: SessionsQuery; answer: QueryAnswer<SessionsSummary, SessionsPoint> }
  logins: { query: LoginsQuery; answer: QueryAnswer<LoginsSummary, LoginsPoint> }
  daily: { query: DailyQuery; answer: QueryAnswer<undefined, DailyPoint> }
}

export type QueryKindName = keyof QueryKinds
