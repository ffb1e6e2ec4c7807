import { z } from 'zod'
import { CURSOR_LENGTH_MAX } from './cursor-length.js'
import { type PageLimit, QUERY_LIMITS } from './query-limits.js'
import { named } from './schema-names.js'
import { findUnstorable } from './storable-text.js'
import { isTime } from './time-text.js'

const PATH =
  'event, type, user_id, anonymous_id, message_id, or a path such as properties.flight.carrier, context.locale, properties.items[0].sku or properties["key with . or ["].unit'

const text = (lengthMax: number) =>
  z
    .string()
    .max(lengthMax)
    .superRefine((value, { addIssue }) => {
      const unstorable = findUnstorable(value)
      if (unstorable === null) return
      const { reason, position } = unstorable
      addIssue({ code: 'custom', message: reason, params: { position } })
    })
const path = text(300).min(1)
const eventName = text(1024)

const TIME = 'must be a time such as 2026-11-21T08:00:00Z'
const time = z.string(TIME).max(64).refine(isTime, TIME).meta({ format: 'date-time' })

const DURATION = 'milliseconds or a duration such as 30m or 14d'
const DURATION_WANTED = `must be ${DURATION}, and more than 0`
/** A duration as text: digits and s, m, h, d or w. */
export const DURATION_TEXT = /^(\d{1,9})([smhdw]?)$/
const durationText = z
  .string()
  .regex(DURATION_TEXT, DURATION_WANTED)
  .refine((value) => Number.parseInt(value, 10) > 0, DURATION_WANTED)
const duration = z.union([z.int().min(1), durationText], DURATION_WANTED)
const wait = z.union([z.int().min(0), z.string().regex(DURATION_TEXT, `must be ${DURATION}`)], `must be ${DURATION}`)

const filter = named(
  'QueryFilter',
  'A condition on one field of an event. All filters of a query must match.',
  z.strictObject({
    property: path.describe(`The field of the event: ${PATH}.`),
    op: z
      .enum([
        'eq',
        'ne',
        'in',
        'not_in',
        'gt',
        'gte',
        'lt',
        'lte',
        'exists',
        'not_exists',
        'prefix',
        'not_prefix',
        'contains',
        'any',
        'all',
      ])
      .default('eq')
      .describe(
        'ne, not_in, not_exists and not_prefix also match events without the field. gt, gte, lt and lte compare numbers with numbers and strings with strings. contains, any and all match lists in JSON: that have the value, one of the values, or each of them. Default: eq.',
      ),
    value: z
      .unknown()
      .optional()
      .describe(
        'A string, a number or a boolean; a list of 1 to 1000 of them for in, not_in, any and all; absent for exists and not_exists.',
      ),
  }),
)
/** A list of filters; an event must match all of them. */
export const queryFilters = z.array(filter).max(QUERY_LIMITS.filtersMax)

const step = named(
  'FunnelStep',
  'One step of a funnel.',
  z.strictObject({
    event: eventName.min(1).describe('Name of the event.'),
    filters: queryFilters.optional().describe('Conditions on the events of this step only.'),
  }),
)

const metric = named(
  'QueryMetric',
  'How the events of a bucket or group become one number.',
  z.strictObject({
    agg: z
      .enum(['count', 'sum', 'avg', 'min', 'max', 'p50', 'p95', 'p99', 'uniques'])
      .default('count')
      .describe(
        'count counts events and uniques counts users (at most 2 % off). The others aggregate the numeric values of property; p50, p95 and p99 are within 1 %. Default: count.',
      ),
    property: path
      .optional()
      .describe('Path of a numeric property, such as properties.delay. Required except for count and uniques.'),
  }),
)

const interval = z.enum(['1m', '5m', '1h', '1d', '1w', '1mo'])
const weekStart = z
  .enum(['monday', 'sunday', 'saturday'])
  .optional()
  .describe('First day of a week, for the interval 1w; no effect on other intervals. Default: monday.')
const groupBy = z.array(path).max(QUERY_LIMITS.groupByMax)
const GROUP_BY = `Fields to group by, at most ${QUERY_LIMITS.groupByMax}: ${PATH}.`

/** The fields of a request, by themselves. */
export const field = {
  text,
  path,
  eventName,
  time,
  duration,
  step,
  interval,
  weekStart,
  event: eventName.optional().describe('Name of the event. Default: all events.'),
  metric: metric.optional().describe('Default: the number of events.'),
  groupBy: groupBy.optional().describe(GROUP_BY),
} as const

/** The fields that every kind of query has; `limit` is the number of points on a page. */
export const commonFields = (limit: PageLimit) => ({
  limit: z
    .int()
    .min(1)
    .max(limit.max)
    .optional()
    .describe(`Points per page. Default: ${limit.default.toLocaleString('en')}.`),
  from: time
    .optional()
    .describe(
      'Start of the range, inclusive: a time, or a day without a time (2026-10-01), which starts at midnight in timezone, or at the first moment of the day where clocks skip midnight. Default: 24 hours before to.',
    ),
  to: time
    .optional()
    .describe(
      'End of the range, exclusive, in the same forms as from: a day without a time stands for its midnight. Default: the end of the current minute.',
    ),
  timezone: text(100)
    .optional()
    .describe(
      'IANA name of a time zone. Days without a time, and buckets of a day or longer, start at its midnight. Default: UTC.',
    ),
  filters: queryFilters.optional().describe('Conditions on events. All must match.'),
  cursor: text(CURSOR_LENGTH_MAX)
    .optional()
    .describe('next_cursor of the previous page. All pages keep the range of the first one.'),
  min_watermark: time
    .optional()
    .describe(
      'A time in UTC, for example the watermark of another answer. The answer then includes everything accepted up to this time: the server waits for it (see wait) and does not use older cached answers.',
    ),
  wait: wait
    .optional()
    .describe(
      'Only with min_watermark: the longest time to wait for it. milliseconds or a duration such as 5s; 0 does not wait. Default: 2s; at most 10s unless the operator changed it.',
    ),
  strict: z
    .boolean()
    .optional()
    .describe(
      'Only with min_watermark: answer with 503 WATERMARK_NOT_REACHED when min_watermark is not reached in time. Default: false, and the answer has meta.is_behind.',
    ),
  fresh: z.boolean().optional().describe('Use no cache. Default: false.'),
  explain: z.boolean().optional().describe('Add the query plan to the answer as meta.plan. Default: false.'),
})

/** The fields of kinds that can be compared with the previous period. */
export const comparedFields = {
  compare: z
    .enum(['previous'])
    .optional()
    .describe(
      'Adds previous to each point: the value of the same query in the previous period. The previous period is the range moved back by the smallest number of whole units with which it ends at from or earlier. Units follow the calendar of timezone: months for 1mo and, without an interval, for ranges of whole months, so October is compared with September, which is one day shorter; weeks for 1w; days for 1d and for ranges of whole days, one of which has 23 or 25 hours when clocks change; otherwise the interval, or the length of the range. Buckets shorter than a day are compared by local time; an hour that clocks repeated or skipped is added to its neighbour, so that no hour of the previous period is left out. previous is null where the previous period has no value.',
    ),
}

/** Fields of kinds that answer one point per bucket and group. */
export const bucketedFields = {
  ...comparedFields,
  group_by: field.groupBy,
  interval: interval.optional().describe('Length of a bucket. Default: one point for the whole range.'),
  week_start: weekStart,
  fill: z
    .enum(['zero', 'null', 'none'])
    .optional()
    .describe(
      'The value of buckets without events: 0 or null; none leaves them out. Default without group_by: the value of no events; with group_by: none.',
    ),
}

/** Fields of kinds that answer one point per group. */
export const rankedFields = {
  ...comparedFields,
  group_by: groupBy.min(1).describe(GROUP_BY),
}
