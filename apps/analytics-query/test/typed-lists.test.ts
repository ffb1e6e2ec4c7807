import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { ListActivitiesRequest, ListSessionsRequest } from '@millrace/contracts'
import type { CursorValue } from '@millrace/pagination'
import { createMetrics } from '@millrace/telemetry'
import { ACTIVITIES, activityConditions, parseActivitiesQuery } from '../src/lists/activity-list.js'
import { AS_WALKS, stepStatement } from '../src/lists/list-statement.js'
import { QueryMetrics } from '../src/metrics.js'
import { createSnapshot } from '../src/reads/snapshot.js'
import { createListSessions } from '../src/rpc/list-sessions.js'
import {
  activitiesOf,
  createTenant,
  forgeCursor,
  type ServiceUnderTest,
  sessionsOf,
  startServiceUnderTest,
} from './service-under-test.js'

const NOW = Date.UTC(2026, 10, 20, 12)
const MINUTE = 60_000
const STREAM = { stream: 'events', consumerGroup: 'events-store' }

interface Session {
  readonly tenantId: number
  readonly id: string
  readonly user: string | null
  readonly startMs: number
  readonly endMs: number | null
  readonly device: string
}

interface Activity {
  readonly tenantId: number
  readonly id: string
  readonly user: string
  readonly timeMs: number
  readonly action: string
  readonly type: string
  readonly entity: string
}

const at = (ms: number) => new Date(ms).toISOString()
const byTime = (a: { timeMs: number; id: string }, b: { timeMs: number; id: string }) =>
  b.timeMs - a.timeMs || (a.id < b.id ? 1 : -1)

let service: ServiceUnderTest
let acme: number
let other: number
let sessions: Session[]
let activities: Activity[]

const listSessions = async (fields: Partial<ListSessionsRequest>, tenantId = acme) => {
  const call = { tenant: String(tenantId) }
  const { dataJson, summaryJson, nextCursor, meta } = await service.calls.listSessions(sessionsOf(fields), call)
  const data = JSON.parse(dataJson.toString()) as Record<string, unknown>[]
  return { data, ids: data.map((one) => one.session_id), summary: summaryJson.toString(), nextCursor, meta }
}
const listActivities = async (fields: Partial<ListActivitiesRequest>, tenantId = acme) => {
  const call = { tenant: String(tenantId) }
  const { dataJson, nextCursor, meta } = await service.calls.listActivities(activitiesOf(fields), call)
  const data = JSON.parse(dataJson.toString()) as Record<string, unknown>[]
  return { data, ids: data.map((one) => one.message_id), nextCursor, meta }
}

/** All ids, page by page. */
async function walk<Fields extends { cursor?: string }>(
  list: (fields: Fields) => Promise<{ ids: unknown[]; nextCursor: string }>,
  fields: Fields,
): Promise<unknown[]> {
  const ids: unknown[] = []
  let cursor = ''
  do {
    const page = await list({ ...fields, cursor })
    ids.push(...page.ids)
    cursor = page.nextCursor
  } while (cursor !== '')
  return ids
}

async function storeSessions(rows: readonly Session[]): Promise<void> {
  await service.database.query(
    `insert into user_sessions (tenant_id, session_id, user_id, started_at, last_seen_at, ended_at, end_reason, device_type, browser, os, ip)
      select (s->>'tenantId')::integer, s->>'id', s->>'user', (s->>'start')::timestamptz, coalesce(s->>'end', s->>'start')::timestamptz,
        (s->>'end')::timestamptz, case when s->>'end' is not null then 'idle' end, s->>'device', 'Firefox', 'Linux', '10.0.0.1'
      from jsonb_array_elements($1::jsonb) s`,
    [
      JSON.stringify(
        rows.map((one) => ({ ...one, start: at(one.startMs), end: one.endMs === null ? null : at(one.endMs) })),
      ),
    ],
  )
}

async function storeActivities(rows: readonly Activity[], metadata: object): Promise<void> {
  await service.database.query(
    `insert into activity_logs (tenant_id, message_id, user_id, "timestamp", action, entity_type, entity_id, metadata)
      select (a->>'tenantId')::integer, a->>'id', a->>'user', (a->>'time')::timestamptz, a->>'action', a->>'type', a->>'entity', $2::jsonb
      from jsonb_array_elements($1::jsonb) a`,
    [JSON.stringify(rows.map((one) => ({ ...one, time: at(one.timeMs) }))), JSON.stringify(metadata)],
  )
}

describe('the lists of typed tables', () => {
  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => NOW })
    acme = await createTenant(service.database, 'acme')
    other = await createTenant(service.database, 'other')
    // Some at the same instant; every fifth goes on.
    sessions = Array.from({ length: 300 }, (_, n) => ({
      tenantId: n % 10 === 9 ? other : acme,
      id: `s-${String((n * 7) % 300).padStart(3, '0')}`,
      user: n % 11 === 0 ? null : `user-${n % 6}`,
      startMs: NOW - Math.floor(n / 3) * MINUTE,
      endMs: n % 5 === 0 ? null : NOW - Math.floor(n / 3) * MINUTE + 1,
      device: n % 50 === 3 ? 'tv' : 'desktop',
    }))
    activities = Array.from({ length: 300 }, (_, n) => ({
      tenantId: n % 10 === 9 ? other : acme,
      id: `m-${String((n * 7) % 300).padStart(3, '0')}`,
      user: `user-${n % 6}`,
      timeMs: NOW - Math.floor(n / 3) * MINUTE,
      action: n % 40 === 2 ? 'deleted' : 'viewed',
      type: n % 2 === 0 ? 'invoice' : 'order',
      entity: `e-${n % 9}`,
    }))
    await storeSessions(sessions)
    await storeActivities(activities, { price: 12.5, name: 'Ünïcode "quoted"' })
  })
  afterAll(() => service.close())

  describe('the list of sessions', () => {
    const ofAcme = () =>
      sessions
        .filter(({ tenantId }) => tenantId === acme)
        .map((one) => ({ ...one, timeMs: one.startMs }))
        .sort(byTime)

    it('returns each session in the form of the public API, with the watermark and the number of active sessions', async () => {
      await service.database.query(
        `insert into stream_partitions (group_name, stream, partition, watermark) values ('events-store', 'events', 0, $1)`,
        [at(NOW)],
      )
      const [newest] = ofAcme()
      const { data, summary, meta } = await listSessions({ limit: 1 })
      expect(data).toEqual([
        {
          session_id: newest?.id,
          user_id: newest?.user,
          is_active: newest?.endMs === null,
          started_at: at(newest?.startMs ?? 0),
          last_seen_at: at(newest?.endMs ?? newest?.startMs ?? 0),
          ended_at: newest?.endMs === null ? null : at(newest?.endMs ?? 0),
          end_reason: newest?.endMs === null ? null : 'idle',
          device: 'desktop',
          browser: 'Firefox',
          os: 'Linux',
          ip: '10.0.0.1',
        },
      ])
      expect(JSON.parse(summary)).toEqual({ active_sessions: ofAcme().filter(({ endMs }) => endMs === null).length })
      expect(meta).toMatchObject({ source: 'raw', ageMs: 0, watermark: new Date(NOW), isStale: false })
    })

    it('has the number of active sessions on the first page, of one user when requested, regardless of other filters', async () => {
      const ofUser = ofAcme().filter(({ user, endMs }) => user === 'user-5' && endMs === null)
      const first = await listSessions({ userId: 'user-5', active: false, device: 'tv', limit: 1 })
      expect(JSON.parse(first.summary)).toEqual({ active_sessions: ofUser.length })
      const { nextCursor } = await listSessions({ limit: 1 })
      expect((await listSessions({ limit: 1, cursor: nextCursor })).summary).toBe('')
    })

    it.each<[string, Partial<ListSessionsRequest>, (one: Session) => boolean]>([
      ['of everybody', {}, () => true],
      ['that go on', { active: true }, ({ endMs }) => endMs === null],
      ['that are over', { active: false }, ({ endMs }) => endMs !== null],
      ['of one user', { userId: 'user-4' }, ({ user }) => user === 'user-4'],
      ['of one user that go on', { userId: 'user-4', active: true }, (o) => o.user === 'user-4' && o.endMs === null],
      ['of one device', { device: 'tv' }, ({ device }) => device === 'tv'],
      ['of one device that are over', { device: 'tv', active: false }, (o) => o.device === 'tv' && o.endMs !== null],
      ['of one browser and system', { browser: 'Firefox', os: 'Linux' }, () => true],
      ['of another browser', { browser: 'Chrome' }, () => false],
      ['of one id', { sessionId: 's-014' }, ({ id }) => id === 's-014'],
      ['of one id and another user', { sessionId: 's-014', userId: 'nobody' }, () => false],
      [
        'that began in a range',
        { from: new Date(NOW - 30 * MINUTE), to: new Date(NOW - 10 * MINUTE) },
        ({ startMs }) => startMs >= NOW - 30 * MINUTE && startMs < NOW - 10 * MINUTE,
      ],
      [
        'that began at any time that can be said',
        { from: new Date(-62_167_219_200_000), to: new Date(8e15) },
        () => true,
      ],
    ])('%s contains exactly the matching rows, newest first, in pages', async (_title, fields, matches) => {
      const expected = ofAcme().filter(matches)
      for (const limit of [40, 1000]) {
        expect(await walk(listSessions, { ...fields, limit })).toEqual(expected.map(({ id }) => id))
      }
    })

    it('returns a short page with a cursor after 5 s, and no row is missed', async () => {
      const many = Array.from({ length: 500 }, (_, n) => ({
        tenantId: 99,
        id: `x-${String(n).padStart(3, '0')}`,
        user: 'x',
        startMs: NOW - n * MINUTE,
        endMs: NOW,
        device: n % 200 === 199 ? 'tv' : 'desktop',
      }))
      await storeSessions(many)
      const metrics = new QueryMetrics(createMetrics({ service: 'test', hasProcessMetrics: false }))
      let clock = 0
      const handle = createListSessions(STREAM, {
        snapshot: createSnapshot({ database: service.database }),
        metrics,
        monotonicMs: () => (clock += 6000),
      })
      const call = { tenant: '99', signal: new AbortController().signal, deadline: undefined }
      const found: string[] = []
      let [pages, cursor] = [0, '']
      do {
        const page = await handle(sessionsOf({ device: 'tv', limit: 3, cursor }), call)
        const data = JSON.parse(page.dataJson.toString()) as { session_id: string }[]
        found.push(...data.map(({ session_id }) => session_id))
        cursor = page.nextCursor
        pages++
      } while (cursor !== '')
      expect(found).toEqual(['x-199', 'x-399'])
      expect(pages).toBeGreaterThan(10)
    })
  })

  describe('the list of activities', () => {
    const ofAcme = () => activities.filter(({ tenantId }) => tenantId === acme).sort(byTime)

    it('returns each activity in the form of the public API', async () => {
      const [newest] = ofAcme()
      const { data, meta } = await listActivities({ limit: 1 })
      expect(data).toEqual([
        {
          message_id: newest?.id,
          user_id: newest?.user,
          timestamp: at(NOW),
          action: newest?.action,
          entity_type: newest?.type,
          entity_id: newest?.entity,
          metadata: { price: 12.5, name: 'Ünïcode "quoted"' },
        },
      ])
      expect(meta).toMatchObject({ source: 'raw', ageMs: 0 })
    })

    it.each<[string, Partial<ListActivitiesRequest>, (one: Activity) => boolean]>([
      ['of everybody', {}, () => true],
      ['of one user', { userId: 'user-4' }, ({ user }) => user === 'user-4'],
      ['of one action', { action: 'deleted' }, ({ action }) => action === 'deleted'],
      [
        'of one action of a user',
        { userId: 'user-2', action: 'deleted' },
        (o) => o.user === 'user-2' && o.action === 'deleted',
      ],
      ['of one type', { entityType: 'order' }, ({ type }) => type === 'order'],
      ['of one entity', { entityType: 'order', entityId: 'e-5' }, (o) => o.type === 'order' && o.entity === 'e-5'],
      [
        'of one entity by a user',
        { entityId: 'e-5', userId: 'user-5' },
        (o) => o.entity === 'e-5' && o.user === 'user-5',
      ],
      ['of nobody', { userId: 'nobody' }, () => false],
      [
        'from an instant until before another',
        { from: new Date(NOW - 30 * MINUTE), to: new Date(NOW - 10 * MINUTE) },
        ({ timeMs }) => timeMs >= NOW - 30 * MINUTE && timeMs < NOW - 10 * MINUTE,
      ],
    ])('%s contains exactly the matching rows, newest first, in pages', async (_title, fields, matches) => {
      const expected = ofAcme().filter(matches)
      for (const limit of [40, 1000]) {
        expect(await walk(listActivities, { ...fields, limit })).toEqual(expected.map(({ id }) => id))
      }
    })

    it('ends a page at 8 MiB, however well the metadata was compressed, and no row is missed', async () => {
      const large = Array.from({ length: 25 }, (_, n) => ({
        tenantId: 98,
        id: `l-${String(n).padStart(2, '0')}`,
        user: 'large',
        timeMs: NOW - n,
        action: n === 24 ? 'rare' : 'large',
        type: 't',
        entity: 'e',
      }))
      await storeActivities(large, { text: 'x'.repeat(1_000_000) })
      const pages: number[] = []
      let cursor = ''
      do {
        const page = await listActivities({ limit: 1000, cursor }, 98)
        pages.push(page.ids.length)
        cursor = page.nextCursor
      } while (cursor !== '')
      expect(pages).toEqual([8, 8, 8, 1])
      expect((await listActivities({ action: 'rare' }, 98)).ids).toEqual(['l-24'])
    })
  })

  describe('both lists', () => {
    it('never show a tenant the rows of another, whatever the request', async () => {
      const [session] = sessions.filter(({ tenantId }) => tenantId === other)
      const [activity] = activities.filter(({ tenantId }) => tenantId === other)
      expect((await listSessions({ sessionId: session?.id ?? '' })).ids).toEqual([])
      expect((await listSessions({ sessionId: session?.id ?? '' }, other)).ids).toEqual([session?.id])
      const theirs = { from: new Date(activity?.timeMs ?? 0), to: new Date((activity?.timeMs ?? 0) + 1) }
      expect((await listActivities(theirs)).ids).not.toContain(activity?.id)
      expect((await listActivities(theirs, other)).ids).toContain(activity?.id)
      await expect(service.calls.listActivities(activitiesOf({}))).rejects.toMatchObject({ code: 'TENANT_MISSING' })
    })

    it('have no gap and no repetition while rows are inserted', async () => {
      const before = await walk(listSessions, { limit: 1000 })
      let n = 0
      const seen = await walk(
        async (fields: Partial<ListSessionsRequest>) => {
          const page = await listSessions(fields)
          const startMs = NOW - (n % 5) * 20 * MINUTE
          await storeSessions([{ tenantId: acme, id: `new-${n++}`, user: 'new', startMs, endMs: null, device: 'new' }])
          return page
        },
        { limit: 20 },
      )
      expect(new Set(seen).size).toBe(seen.length)
      expect(seen.filter((id) => !String(id).startsWith('new'))).toEqual(before)
      await service.database.query(`delete from user_sessions where user_id = 'new'`)
    })

    it('accept a cursor for the query that it was issued for, and for no other', async () => {
      const ofAll = (await listSessions({ limit: 2 })).nextCursor
      await expect(listSessions({ limit: 50, cursor: ofAll })).resolves.toMatchObject({ summary: '' })
      for (const fields of [{ active: true }, { userId: 'user-1' }, { to: new Date(NOW) }])
        await expect(listSessions({ ...fields, cursor: ofAll })).rejects.toMatchObject({ code: 'INVALID_CURSOR' })
      await expect(listActivities({ cursor: ofAll })).rejects.toMatchObject({ code: 'INVALID_CURSOR' })
    })

    /** A cursor that someone made up for the list of sessions. */
    const forge = async (...values: CursorValue[]) => forgeCursor((await listSessions({ limit: 2 })).nextCursor, values)
    const forged =
      (...values: CursorValue[]) =>
      async () =>
        listSessions({ limit: 2, cursor: await forge(...values) })
    it.each<[string, () => Promise<unknown>, string]>([
      ['a limit over 1000', () => listActivities({ limit: 1001 }), 'INVALID_LIMIT'],
      ['an end before the start', () => listSessions({ from: new Date(1), to: new Date(0) }), 'INVALID_TIME_RANGE'],
      ['a text that no row has', () => listActivities({ entityId: 'a\u0000' }), 'INVALID_FILTER_VALUE'],
      ['a cursor that is none', () => listSessions({ cursor: 'x' }), 'INVALID_CURSOR'],
      ['a cursor without an id', forged(1), 'INVALID_CURSOR'],
      ['a cursor with more than an id', forged(1, 's', 's'), 'INVALID_CURSOR'],
      ['a cursor beyond all time', forged(1e300, 's'), 'INVALID_CURSOR'],
      ['a cursor between two microseconds', forged(0.5, 's'), 'INVALID_CURSOR'],
      ['a cursor with a text that no row has', forged(1, '\u0000'), 'INVALID_CURSOR'],
      ['a cursor with a text longer than any id', forged(1, 'x'.repeat(513)), 'INVALID_CURSOR'],
    ])('reject %s', async (_title, ask, code) => {
      await expect(ask()).rejects.toMatchObject({ code, kind: 'invalid' })
    })

    it.each([Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])(
      'go on from any instant, as from %s',
      async (timeUs) => {
        expect((await listSessions({ limit: 2, cursor: await forge(timeUs, 's') })).ids).toHaveLength(
          timeUs > 0 ? 2 : 0,
        )
      },
    )

    it.each([`'; drop table user_sessions; --`, `user-3' or '1'='1`, '$1', '%', '\\'])(
      'treat %s as a value',
      async (text) => {
        expect((await listSessions({ userId: text, device: text })).ids).toEqual([])
        expect((await listActivities({ userId: text, action: text, entityId: text })).ids).toEqual([])
        expect((await listSessions({ limit: 1 })).ids).toHaveLength(1)
      },
    )

    it('read a page of a user with many rows by the index in order, although the planner expects few rows', async () => {
      const store = (rows: readonly { user: string; entity: string; id: string }[]) =>
        storeActivities(
          rows.map((one, n) => ({ ...one, tenantId: 97, timeMs: NOW - n, action: 'a', type: 't' })),
          {},
        )
      // Ten rows each when the planner looked; then one has come who has many.
      await store(Array.from({ length: 3000 }, (_, n) => ({ user: `u${n % 300}`, entity: `e${n % 300}`, id: `p${n}` })))
      await service.database.query('analyze activity_logs')
      await store(Array.from({ length: 3000 }, (_, n) => ({ user: 'many', entity: 'many', id: `q${n}` })))
      const plan = (fields: Partial<ListActivitiesRequest>) =>
        service.database.withTenant(97, async (tx) => {
          const query = parseActivitiesQuery(activitiesOf(fields), '')
          const step = { query, after: null, walkRows: 101, limit: 101, bytes: 1_000_000 }
          const { text, values } = stepStatement(ACTIVITIES, activityConditions(97, query), step)
          await tx.query(AS_WALKS)
          const { rows } = await tx.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values ?? [])
          return rows.map((row) => row['QUERY PLAN']).join('\n')
        })
      const inOrder = /Incremental Sort\s[^\n]*\n[^\n]*\n[^\n]*Presorted Key[\s\S]*Index Scan using (\w+)/
      expect(inOrder.exec(await plan({ userId: 'many' }))?.[1]).toBe('activity_logs_user')
      expect(inOrder.exec(await plan({ entityId: 'many' }))?.[1]).toBe('activity_logs_entity')
    })

    it('cancel their statement when the call ends', async () => {
      const metrics = new QueryMetrics(createMetrics({ service: 'test', hasProcessMetrics: false }))
      const handle = createListSessions(STREAM, { snapshot: createSnapshot({ database: service.database }), metrics })
      const call = { tenant: String(acme), signal: AbortSignal.abort(new Error('gone')), deadline: undefined }
      await expect(handle(sessionsOf({}), call)).rejects.toThrow('gone')
    })
  })
})
