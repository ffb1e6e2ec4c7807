import { z } from 'zod'
import { querySchemaNames } from './query-schemas.js'

const time = z.string().meta({ format: 'date-time' })
const count = z.int().min(0)
const rate = z.number().min(0).max(1).nullable().describe('from 0 to 1; null where there is nothing to measure')
const seconds = z.number().min(0).nullable()
const durations = { seconds_avg: seconds, seconds_p50: seconds, seconds_p95: seconds }
const nullableText = z.string().nullable()

const group = z
  .record(z.string(), z.string())
  .describe('by the paths of group_by; a field that the events do not have is left out')
const bucket = time.describe('start of the bucket')
const common = {
  value: z.number().nullable().describe('null when there is nothing to average, compare or rank'),
  previous: z
    .number()
    .nullable()
    .exactOptional()
    .describe('with compare: the value a period earlier, null where there is none'),
}
const grouped = { group: group.exactOptional() }
const bucketed = {
  time: bucket.exactOptional().describe('start of the bucket; absent without an interval'),
  ...grouped,
}
const quantile = z.number().nullable().exactOptional()
const loginCounts = { attempts: count, succeeded: count, failed: count, success_rate: rate }
const loginShares = z.array(z.object({ name: z.string(), ...loginCounts })).describe('the most frequent first')

const measures = {
  values: z
    .object({ count: count.describe('events that have a number there'), p50: quantile, p95: quantile, p99: quantile })
    .exactOptional()
    .describe('with a metric of a property; absent in buckets without events'),
}

const points = {
  timeseries: z.object({ time: bucket, ...grouped, ...common, ...measures }),
  top: z.object({ group, ...common, ...measures }),
  breakdown: z.object({ group, ...common, ...measures }),
  uniques: z.object({ ...bucketed, ...common }),
  percentiles: z.object({
    ...bucketed,
    ...common,
    values: z.object({ p50: quantile, p95: quantile, p99: quantile, count }),
  }),
  funnel: z.object({
    step: count.describe('from 0'),
    ...grouped,
    ...common,
    value: count.describe('users who reached the step'),
    values: z
      .object({
        conversion_rate: rate.describe('of those who entered the first step'),
        step_conversion_rate: rate.describe('of those who reached the step before'),
        ...durations,
      })
      .describe('seconds are those since the step before'),
  }),
  retention: z.object({
    time: time.describe('the cohort: those who did it in this period for the first time in the range'),
    period: count.describe('periods since the cohort’s own, from 0'),
    ...grouped,
    ...common,
    value: count.describe('users who came back'),
    values: z.object({ rate, cohort_size: count }),
  }),
  sessions: z.object({
    ...bucketed,
    ...common,
    value: count.nullable().describe('sessions; null only in buckets filled so'),
    values: z.object({
      users: count,
      events: count,
      bounce_rate: rate.describe('the part of the sessions that are one event'),
      ...durations,
    }),
  }),
  logins: z.object({
    ...bucketed,
    ...common,
    value: count.nullable().describe('attempts; null only in buckets filled so'),
    values: z.object({ succeeded: count, failed: count, success_rate: rate, users: count }),
  }),
  daily: z.object({
    time: time.describe('a UTC day'),
    ...common,
    value: count.describe('events'),
    values: z.object({
      events: count,
      users: count,
      avg_response_ms: z
        .number()
        .nullable()
        .describe(
          'of the property that the operator has named (properties.duration_ms by default); null where no rollup keeps it',
        ),
    }),
  }),
} as const

const summaries = {
  funnel: z.object({ entered: count, converted: count, conversion_rate: rate }),
  sessions: z.object({ sessions: count, users: count, events: count, bounce_rate: rate, ...durations }),
  logins: z.object({
    totals: z.object({ ...loginCounts, users: count }),
    methods: loginShares,
    devices: loginShares,
    browsers: loginShares,
    systems: loginShares,
    recent: z
      .array(
        z.object({
          time,
          user_id: nullableText,
          success: z.boolean(),
          method: nullableText,
          device: nullableText,
          browser: nullableText,
          os: nullableText,
          failure_reason: nullableText,
        }),
      )
      .describe('the newest first'),
  }),
} as const

const meta = z.object({
  source: z
    .enum(['memory', 'redis', 'rollup', 'raw', 'mixed'])
    .describe('a cache (memory of the service, Redis), or what the answer was made of now'),
  age_ms: z.number().min(0).describe('since the answer was made of stored events'),
  watermark: time.nullable().describe('everything accepted up to here is counted'),
  took_ms: z.number().min(0).describe('without the way to the client'),
  is_stale: z.boolean().exactOptional().describe('an older answer stands in for one that could not be had now'),
  is_behind: z
    .boolean()
    .exactOptional()
    .describe('min_watermark was not reached in time: the answer goes up to watermark only'),
  waited_ms: z.number().min(0).exactOptional().describe('of waiting for min_watermark, besides took_ms'),
  plan: z.unknown().exactOptional().describe('with explain'),
})
querySchemaNames.add(meta, { id: 'QueryAnswerMeta' })

const nextCursor = z.string().nullable().describe('to be given as cursor for the next page; null at the end')
const answerOf = <P extends z.ZodType>(point: P) => z.object({ data: z.array(point), next_cursor: nextCursor, meta })
const answerWith = <P extends z.ZodType, S extends z.ZodType>(point: P, summary: S) =>
  z.object({ data: z.array(point), summary: summary.exactOptional(), next_cursor: nextCursor, meta })

/** What each kind of query answers, for the OpenAPI document. */
export const answerSchemas = {
  timeseries: answerOf(points.timeseries),
  top: answerOf(points.top),
  breakdown: answerOf(points.breakdown),
  uniques: answerOf(points.uniques),
  percentiles: answerOf(points.percentiles),
  funnel: answerWith(points.funnel, summaries.funnel),
  retention: answerOf(points.retention),
  sessions: answerWith(points.sessions, summaries.sessions),
  logins: answerWith(points.logins, summaries.logins),
  daily: answerOf(points.daily),
} as const
