import { z } from 'zod'
import { findUnstorable } from './storable-text.js'

/** Schemas of queries and answers that the OpenAPI document names. */
export const querySchemaNames = z.registry<{ id: string; description?: string }>()

const PATH =
  'event, type, user_id, anonymous_id, message_id, or a path such as properties.flight.carrier or context.locale'
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

const RFC3339 = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d))?$/
const TIME = 'must be a time such as 2026-11-21T08:00:00Z'
/** Whether a text is a day or a time in RFC 3339 that exists: Date.parse would take February 30 for March 2. */
export function isTime(value: string): boolean {
  if (!RFC3339.test(value) || Number.isNaN(Date.parse(value))) return false
  const day = value.slice(0, 10)
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)
}
const time = z.string(TIME).max(64).refine(isTime, TIME).meta({ format: 'date-time' })

const DAY =
  'a time, or a day without one (2026-10-01), which begins at midnight of timezone, or with the day’s first moment where clocks skip midnight'

const LENGTH = 'milliseconds, or a length of time such as 30m or 14d'
const LENGTH_WANTED = `must be ${LENGTH}, and more than 0`
/** A length of time as text: digits and s, m, h, d or w. */
export const LENGTH_TEXT = /^(\d{1,9})([smhdw]?)$/
const lengthText = z
  .string()
  .regex(LENGTH_TEXT, LENGTH_WANTED)
  .refine((value) => Number.parseInt(value, 10) > 0, LENGTH_WANTED)
const length = z.union([z.int().min(1), lengthText], LENGTH_WANTED)

const wait = z.union([z.int().min(0), z.string().regex(LENGTH_TEXT, `must be ${LENGTH}`)], `must be ${LENGTH}`)

const filter = z.strictObject({
  property: path.describe(PATH),
  op: z
    .enum(['eq', 'ne', 'in', 'not_in', 'gt', 'gte', 'lt', 'lte', 'exists', 'not_exists', 'prefix', 'not_prefix'])
    .default('eq')
    .describe(
      'ne, not_in, not_exists and not_prefix hold for an event without the field too; gt, gte, lt and lte compare numbers with numbers and texts with texts',
    ),
  value: z
    .unknown()
    .optional()
    .describe(
      'a text, a number or a boolean; a list of 1 to 1000 of them for in and not_in; nothing for exists and not_exists',
    ),
})
querySchemaNames.add(filter, { id: 'QueryFilter', description: 'What an event must be like; all filters must hold.' })
const filters = z.array(filter).max(20)

const step = z.strictObject({ event: text(1024).min(1), filters: filters.optional().describe('of this step alone') })
querySchemaNames.add(step, { id: 'FunnelStep' })

const aggregations = ['count', 'sum', 'avg', 'min', 'max', 'p50', 'p95', 'p99', 'uniques'] as const
const metric = z.strictObject({
  agg: z
    .enum(aggregations)
    .default('count')
    .describe(
      'count is of events, uniques of users (2 % off at most); the others are of the numeric values of property, p50, p95 and p99 within 1 %',
    ),
  property: path.optional().describe('such as properties.delay; needed by all but count and uniques'),
})
querySchemaNames.add(metric, { id: 'QueryMetric' })
const quantile = z.strictObject({
  agg: z.enum(['p50', 'p95', 'p99']).default('p50').describe('which of them is value'),
  property: path.describe('such as properties.delay'),
})

const intervals = ['1m', '5m', '1h', '1d', '1w', '1mo'] as const
const interval = z.enum(intervals)
const event = text(1024).optional().describe('name of the event; absent: all')
const groupBy = z.array(path).max(3).describe(PATH)

/** One holds the last group shown, or marks of the groups shown so far. */
const CURSOR_LENGTH_MAX = 32_768

/** What may be asked of every kind; a page has `limit` points. */
const common = (limit: { default: number; max: number }) => ({
  limit: z.int().min(1).max(limit.max).optional().describe(`points of a page; default ${limit.default}`),
  from: time.optional().describe(`inclusive, ${DAY}; default 24 hours before to`),
  to: time.optional().describe(`exclusive, ${DAY}; default the end of this minute`),
  timezone: text(100)
    .optional()
    .describe('IANA name; days without a time, and buckets of days and longer, begin at its midnight; default UTC'),
  filters: filters.optional(),
  cursor: text(CURSOR_LENGTH_MAX)
    .optional()
    .describe('next_cursor of the page before; its range is that of the first page'),
  min_watermark: time
    .optional()
    .describe(
      'a time in UTC: the answer holds everything accepted up to here, such as the watermark of another answer: it is waited for (see wait), and a cached answer that is older is passed by',
    ),
  wait: wait
    .optional()
    .describe(
      `how long to wait for min_watermark at most: ${LENGTH}; default 2s, at most 10s as installed; 0: not at all`,
    ),
  strict: z
    .boolean()
    .optional()
    .describe('503 WATERMARK_NOT_REACHED when min_watermark is not reached in time; else the answer says is_behind'),
  fresh: z.boolean().optional().describe('passes every cache by'),
  explain: z.boolean().optional().describe('puts the plan into meta.plan'),
})
const series = { default: 10_000, max: 10_000 }

const compared = {
  compare: z
    .enum(['previous'])
    .optional()
    .describe(
      'adds previous to each point: the same query over the period before, which is the range moved back by the least number of whole units that ends it at from or earlier. Units are of the calendar of timezone: months for 1mo and, without an interval, for ranges of whole months, so October is compared with September, which is a day shorter; weeks for 1w; days for 1d and ranges of whole days, of which one has 23 or 25 hours when clocks change; else the interval, or the range’s own length. Null where nothing stood then',
    ),
}
const bucketed = {
  ...compared,
  group_by: groupBy.optional(),
  interval: interval.optional().describe('length of a bucket; absent: one point for the whole range'),
  fill: z
    .enum(['zero', 'null', 'none'])
    .optional()
    .describe('what stands in a bucket without events: 0, null, or nothing at all'),
}
const ranked = {
  ...compared,
  group_by: groupBy.min(1),
  interval: interval.optional().describe('has no effect here'),
}

/** What each kind of query may be asked: this validates requests and stands in the OpenAPI document. */
export const querySchemas = {
  timeseries: z.strictObject({
    event,
    metric: metric.optional().describe('default: count'),
    ...bucketed,
    interval: interval.optional().describe('length of a bucket; default 1h'),
    ...common(series),
  }),
  top: z.strictObject({
    event,
    metric: metric.optional().describe('default: count'),
    ...ranked,
    ...common({ default: 10, max: 1000 }),
  }),
  breakdown: z.strictObject({
    event,
    metric: metric.optional().describe('default: count'),
    ...ranked,
    ...common({ default: 100, max: 1000 }),
  }),
  uniques: z.strictObject({
    event,
    metric: z
      .strictObject({ agg: z.enum(['uniques']) })
      .optional()
      .describe('may be left out'),
    ...bucketed,
    ...common(series),
  }),
  percentiles: z.strictObject({ event, metric: quantile, ...bucketed, ...common(series) }),
  funnel: z.strictObject({
    steps: z
      .array(z.union([text(1024).min(1), step], 'must be the name of an event, or an object {event, filters}'))
      .min(2)
      .max(10)
      .describe('in their order; a text stands for an event without filters'),
    window: length.optional().describe(`how long after the first step the last one counts: ${LENGTH}; default 14d`),
    group_by: groupBy.optional(),
    ...compared,
    ...common({ default: 1000, max: 10_000 }),
  }),
  retention: z.strictObject({
    event: text(1024).optional().describe('what makes a user one of a cohort; absent: any event'),
    return_event: text(1024).optional().describe('what a user who comes back does; absent: any event'),
    interval: z.enum(['1d', '1w', '1mo']).optional().describe('length of a period; default 1d'),
    periods: z
      .int()
      .min(1)
      .max(366)
      .optional()
      .describe('how many are followed after the cohort’s own; default: as many as the range has'),
    group_by: groupBy.optional(),
    ...common(series),
  }),
  sessions: z.strictObject({
    event,
    window: length.optional().describe(`the gap that ends a session: ${LENGTH}; default 30m`),
    ...bucketed,
    ...common(series),
  }),
  logins: z.strictObject({
    ...bucketed,
    group_by: groupBy.optional().describe('method, device, browser or os'),
    ...common(series),
  }),
  daily: z
    .strictObject(common(series))
    .omit({ filters: true })
    .extend({
      from: time.optional().describe('inclusive, back to the beginning of its UTC day; default 90 days before to'),
      to: time.optional().describe('exclusive, on to the end of its UTC day; default the end of this minute'),
      timezone: z.enum(['UTC']).optional(),
    }),
} as const
