import { z } from 'zod'
import { MINUTE_MS } from '../../time/durations.js'
import { bucketed, count, durations, rate, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { bucketedFields, commonFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

const totals = {
  users: count.describe('Users with at least one session.'),
  events: count.describe('Events in these sessions.'),
  bounce_rate: rate.describe('Share of the sessions that have a single event, from 0 to 1; null without sessions.'),
  ...durations,
}

/** GET or POST /api/v1/query/sessions */
export const sessions = defineQueryKind({
  title: 'Sessions, their length and bounce rate',
  description:
    'A session is a run of events of one user in which no pause reaches window. It counts in the bucket and group of its first event. A session that began before the range does not count; one that goes on after the range counts, with its events in the range.',
  request: z.strictObject({
    event: field.event,
    window: field.duration
      .optional()
      .describe(
        `The pause that ends a session: milliseconds or a duration such as 30m or 14d. Default: ${QUERY_LIMITS.sessionGapMs / MINUTE_MS}m.`,
      ),
    ...bucketedFields,
    ...commonFields(QUERY_LIMITS.seriesPage),
  }),
  point: z.object({
    ...bucketed,
    ...valued,
    value: count.nullable().describe('Sessions; null only in empty buckets with fill=null.'),
    values: z.object(totals).describe('Durations are those of sessions.'),
  }),
  summary: z
    .object({ sessions: count.describe('Sessions of the whole range.'), ...totals })
    .describe('The sessions of the whole range.'),
  example: {
    query: { ...SAMPLE_RANGE, window: '30m', interval: '1d' },
    data: [
      {
        time: '2026-11-16T00:00:00.000Z',
        value: 4,
        values: { users: 3, events: 8, bounce_rate: 0.5, seconds_avg: 405, seconds_p50: 0, seconds_p95: 1320 },
      },
      {
        time: '2026-11-17T00:00:00.000Z',
        value: 2,
        values: { users: 1, events: 2, bounce_rate: 1, seconds_avg: 0, seconds_p50: 0, seconds_p95: 0 },
      },
      {
        time: '2026-11-18T00:00:00.000Z',
        value: 1,
        values: { users: 1, events: 1, bounce_rate: 1, seconds_avg: 0, seconds_p50: 0, seconds_p95: 0 },
      },
    ],
    summary: {
      sessions: 7,
      users: 3,
      events: 11,
      bounce_rate: 0.7143,
      seconds_avg: 231.4,
      seconds_p50: 0,
      seconds_p95: 1320,
    },
  },
})
