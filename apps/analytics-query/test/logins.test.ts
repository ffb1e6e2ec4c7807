import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const START = Date.UTC(2026, 10, 1)
const HOUR = 3_600_000

interface Attempt {
  readonly tenantId: number
  readonly hour: number
  readonly user: string
  readonly method: string
  readonly device?: string
  readonly failure?: string
}

describe('a query over logins', () => {
  let service: ServiceUnderTest
  let acme: number

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + 48 * HOUR })
    acme = await createTenant(service.database, 'acme')
    const other = await createTenant(service.database, 'other')
    const attempts: Attempt[] = [
      { tenantId: acme, hour: 1, user: 'ada', method: 'google', device: 'mobile' },
      { tenantId: acme, hour: 2, user: 'ada', method: 'email', device: 'desktop', failure: 'wrong_password' },
      { tenantId: acme, hour: 3, user: 'ada', method: 'email', device: 'desktop' },
      { tenantId: acme, hour: 30, user: 'bob', method: 'email' },
      { tenantId: acme, hour: 31, user: 'eve', method: 'okta', device: 'desktop', failure: 'denied' },
      { tenantId: acme, hour: 60, user: 'late', method: 'okta' },
      { tenantId: other, hour: 5, user: 'ada', method: 'google' },
    ]
    await service.database.query(
      `insert into login_events (tenant_id, message_id, user_id, "timestamp", method, success, failure_reason, device_type, browser, os)
        select (a->>'tenantId')::integer, i::text, a->>'user', $2::timestamptz + (a->>'hour')::integer * interval '1 hour', a->>'method',
          a->>'failure' is null, a->>'failure', a->>'device', 'Firefox', 'Linux'
        from jsonb_array_elements($1::jsonb) with ordinality as t (a, i)`,
      [JSON.stringify(attempts), new Date(START).toISOString()],
    )
  })
  afterAll(() => service.close())

  const range = { from: new Date(START), to: new Date(START + 48 * HOUR) }
  const run = (fields: Partial<RunQueryRequest>) =>
    service.query(queryOf({ kind: 'logins', ...range, ...fields }), acme)

  it('counts attempts, successes and users, by day and by method', async () => {
    expect((await run({ interval: '1d' })).data).toEqual([
      {
        time: '2026-11-01T00:00:00.000Z',
        value: 3,
        values: { succeeded: 2, failed: 1, success_rate: 2 / 3, users: 1 },
      },
      {
        time: '2026-11-02T00:00:00.000Z',
        value: 2,
        values: { succeeded: 1, failed: 1, success_rate: 1 / 2, users: 2 },
      },
    ])
    const methods = await run({ groupBy: ['method'] })
    expect(methods.data.map(({ group, value }) => [group?.method, value])).toEqual([
      ['email', 3],
      ['google', 1],
      ['okta', 1],
    ])
  })

  it('has totals, shares and the newest attempts in its summary', async () => {
    const { summary } = await run({})
    expect(summary).toMatchObject({
      totals: { attempts: 5, succeeded: 3, failed: 2, success_rate: 0.6, users: 3 },
      methods: [
        { name: 'email', attempts: 3, succeeded: 2, failed: 1 },
        { name: 'google', attempts: 1 },
        { name: 'okta', attempts: 1, success_rate: 0 },
      ],
      devices: [{ name: 'desktop', attempts: 3 }, { name: 'mobile' }, { name: 'unknown', attempts: 1 }],
      browsers: [{ name: 'Firefox', attempts: 5 }],
      systems: [{ name: 'Linux', attempts: 5 }],
    })
    const { recent } = summary as { recent: { time: string; user_id: string; failure_reason: string | null }[] }
    expect(recent.map(({ user_id }) => user_id)).toEqual(['eve', 'bob', 'ada', 'ada', 'ada'])
    expect(recent[0]).toEqual({
      time: '2026-11-02T07:00:00.000Z',
      user_id: 'eve',
      success: false,
      method: 'okta',
      device: 'desktop',
      browser: 'Firefox',
      os: 'Linux',
      failure_reason: 'denied',
    })
  })

  it('can be filtered by fields of logins and compared with the previous days', async () => {
    const filters = [{ property: 'success', op: 'eq', valueJson: 'true' }]
    const day = { from: new Date(START + 24 * HOUR), to: new Date(START + 48 * HOUR) }
    expect((await run({ ...day, filters, compare: 'previous' })).data).toMatchObject([{ value: 1, previous: 2 }])
    const absent = [{ property: 'device', op: 'not_exists', valueJson: '' }]
    expect((await run({ filters: absent })).data).toMatchObject([{ value: 1 }])
  })

  it('rejects fields that logins do not have', async () => {
    await expect(run({ groupBy: ['properties.plan'] })).rejects.toMatchObject({ code: 'INVALID_FIELD_PATH' })
  })
})
