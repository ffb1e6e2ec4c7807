import type { Step } from '@millrace/database'
import { type TypedEvent, textOf, userOf } from './typed-event.js'

/**
 * One row for each `$login`. A missing method is 'unknown'. A missing success is true, unless a failure reason is
 * given.
 */
export function loginStep(logins: readonly TypedEvent[]): Step {
  return {
    name: 'add_logins',
    text: `insert into login_events (tenant_id, message_id, user_id, "timestamp", method, success, failure_reason,
             device_type, browser, browser_version, os, os_version, ip)
           select t, m, u, to_timestamp(at / 1000), me, s, f, d, b, bv, o, ov, i
           from unnest($1::integer[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::boolean[], $7::text[],
             $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[]) as r (t, m, u, at, me, s, f, d, b, bv, o, ov, i)`,
    values: [
      logins.map(({ row }) => row.tenantId),
      logins.map(({ row }) => row.messageId),
      logins.map(({ row }) => userOf(row)),
      logins.map(({ row }) => row.timestampMs),
      logins.map(({ properties }) => textOf(properties, 'method', 'provider') ?? 'unknown'),
      logins.map((login) => isSuccess(login)),
      logins.map((login) => failureOf(login)),
      logins.map(({ client }) => client.deviceType),
      logins.map(({ client }) => client.browser),
      logins.map(({ client }) => client.browserVersion),
      logins.map(({ client }) => client.os),
      logins.map(({ client }) => client.osVersion),
      logins.map(({ ip }) => ip),
    ],
  }
}

function failureOf({ properties }: TypedEvent): string | null {
  return textOf(properties, 'failure_reason', 'failureReason', 'reason', 'error')
}

function isSuccess(login: TypedEvent): boolean {
  const { success } = login.properties
  return typeof success === 'boolean' ? success : failureOf(login) === null
}
