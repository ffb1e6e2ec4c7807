import { z } from 'zod'
import { named } from './schema-names.js'

/** A time in RFC 3339, UTC. */
export const time = z.string().meta({ format: 'date-time' })
/** A number of events, users or sessions. */
export const count = z.int().min(0)
/** A fraction from 0 to 1; null where it would be a division by zero. */
export const rate = z.number().min(0).max(1).nullable()
const seconds = z.number().min(0).nullable()
/** The fields of points about durations. */
export const durations = {
  seconds_avg: seconds.describe('Average duration in seconds; null without any.'),
  seconds_p50: seconds.describe('Median duration in seconds.'),
  seconds_p95: seconds.describe('95th percentile of the duration in seconds.'),
}
/** A string or null. */
export const nullableText = z.string().nullable()

/** The group of a point. */
export const group = z
  .record(z.string(), z.string())
  .describe('The values of the group_by fields by path. A field that the events do not have is left out.')
/** The fields of points that may have a group. */
export const grouped = { group: group.exactOptional() }
/** The time of points that always have a bucket. */
export const bucket = time.describe('Start of the bucket.')
/** The fields of points that may have a bucket and a group. */
export const bucketed = {
  time: bucket.exactOptional().describe('Start of the bucket; absent without an interval.'),
  ...grouped,
}

const previous = z
  .number()
  .nullable()
  .exactOptional()
  .describe('With compare: the value in the previous period; null where that has none.')
/** The fields of every point. */
export const valued = {
  value: z.number().nullable().describe('Null when there is no value, such as the average of no events.'),
  previous,
}

/** One percentile; null where there are no values. */
export const quantile = z.number().nullable().exactOptional()
/** What points with a metric have besides its value. */
export const measured = {
  values: z
    .object({
      count: count.describe('Events with a number in that property.'),
      p50: quantile,
      p95: quantile,
      p99: quantile,
    })
    .exactOptional()
    .describe('With a metric of a property; absent in buckets without events.'),
}

const meta = named(
  'QueryAnswerMeta',
  'Where an answer came from and how current it is.',
  z.object({
    source: z
      .enum(['memory', 'redis', 'rollup', 'raw', 'mixed'])
      .describe(
        'Where the answer came from: memory and redis are caches; rollup, raw and mixed say that it was computed now, from rollups, from raw rows or from both.',
      ),
    age_ms: z.number().min(0).describe('Milliseconds since the answer was computed from stored events.'),
    watermark: time
      .nullable()
      .describe('Everything accepted up to this time is included; null before any consumer has reported a watermark.'),
    took_ms: z.number().min(0).describe('Milliseconds that answering took on the server.'),
    is_stale: z
      .boolean()
      .exactOptional()
      .describe('True for an older answer that is given because a current one could not be computed.'),
    is_behind: z
      .boolean()
      .exactOptional()
      .describe('True when min_watermark was not reached in time: the answer is complete only up to watermark.'),
    waited_ms: z
      .number()
      .min(0)
      .exactOptional()
      .describe('Milliseconds of waiting for min_watermark, not included in took_ms; absent without a wait.'),
    plan: z.unknown().exactOptional().describe('The query plan, with explain.'),
  }),
)

const nextCursor = z.string().nullable().describe('Pass it as cursor to get the next page; null on the last page.')

/** The whole answer of a kind with such points and, where it has one, such a summary. */
export function answerSchema(point: z.ZodObject, summary: z.ZodObject | undefined): z.ZodObject {
  const data = z.array(point)
  return summary === undefined
    ? z.object({ data, next_cursor: nextCursor, meta })
    : z.object({ data, summary: summary.exactOptional(), next_cursor: nextCursor, meta })
}
