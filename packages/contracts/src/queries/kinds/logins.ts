import { z } from 'zod'
import { bucketed, count, nullableText, rate, time, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { bucketedFields, commonFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'
import { named } from '../schema-names.js'

const counts = {
  attempts: count,
  succeeded: count,
  failed: count,
  success_rate: rate.describe('From 0 to 1; null without attempts.'),
}

const share = named(
  'LoginShare',
  'The login attempts with one method, device, browser or system.',
  z.object({ name: z.string(), ...counts }),
)
const shares = (what: string) => z.array(share).describe(`By ${what}, the most frequent first.`)

const recent = named(
  'RecentLogin',
  'One login attempt.',
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

const exampleShare = (name: string, attempts: number, succeeded: number) => ({
  name,
  attempts,
  succeeded,
  failed: attempts - succeeded,
  success_rate: succeeded / attempts,
})
const onPhone = { method: 'google', device: 'mobile', browser: 'Chrome', os: 'Android' }
const onDesktop = { method: 'email', device: 'desktop', browser: 'Firefox', os: 'Linux' }

/** GET or POST /api/v1/query/logins */
export const logins = defineQueryKind({
  title: 'Login attempts',
  description:
    'From $login events: attempts, success rate and users, in the whole range or per bucket. The summary lists methods, devices, browsers, systems and the most recent logins.',
  request: z.strictObject({
    ...bucketedFields,
    group_by: field.groupBy.describe('Fields to group by: method, device, browser or os; at most 3.'),
    ...commonFields(QUERY_LIMITS.seriesPage),
  }),
  point: z.object({
    ...bucketed,
    ...valued,
    value: count.nullable().describe('Login attempts; null only in empty buckets with fill=null.'),
    values: z.object({
      succeeded: count,
      failed: count,
      success_rate: rate.describe('From 0 to 1; null without attempts.'),
      users: count.describe('Users who tried to log in.'),
    }),
  }),
  summary: z
    .object({
      totals: z.object({ ...counts, users: count.describe('Users who tried to log in.') }),
      methods: shares('method'),
      devices: shares('device'),
      browsers: shares('browser'),
      systems: shares('operating system'),
      recent: z.array(recent).describe('The newest first.'),
    })
    .describe('The logins of the whole range.'),
  example: {
    query: { ...SAMPLE_RANGE, group_by: ['method'] },
    data: [
      { group: { method: 'email' }, value: 1, values: { succeeded: 1, failed: 0, success_rate: 1, users: 1 } },
      { group: { method: 'google' }, value: 2, values: { succeeded: 1, failed: 1, success_rate: 0.5, users: 1 } },
    ],
    summary: {
      totals: { attempts: 3, succeeded: 2, failed: 1, success_rate: 0.6667, users: 2 },
      methods: [exampleShare('google', 2, 1), exampleShare('email', 1, 1)],
      devices: [exampleShare('mobile', 2, 1), exampleShare('desktop', 1, 1)],
      browsers: [exampleShare('Chrome', 2, 1), exampleShare('Firefox', 1, 1)],
      systems: [exampleShare('Android', 2, 1), exampleShare('Linux', 1, 1)],
      recent: [
        { time: '2026-11-16T11:01:00.000Z', user_id: 'u2', success: true, ...onPhone, failure_reason: null },
        {
          time: '2026-11-16T11:00:00.000Z',
          user_id: 'u2',
          success: false,
          ...onPhone,
          failure_reason: 'wrong password',
        },
        { time: '2026-11-16T08:58:00.000Z', user_id: 'u1', success: true, ...onDesktop, failure_reason: null },
      ],
    },
  },
})
