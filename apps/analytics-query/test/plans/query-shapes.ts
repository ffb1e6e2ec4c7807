import type {
  ListActivitiesRequest,
  ListEventsRequest,
  ListSessionsRequest,
  RunQueryRequest,
} from '@millrace/contracts'
import { activitiesOf, listOf, queryOf, type ServiceUnderTest, sessionsOf } from '../service-under-test.js'
import { NOW } from './plans-database.js'

const HOUR = 3_600_000
const DAY = 86_400_000

/** A query whose statements differ from those of the others. */
export interface QueryShape {
  readonly title: string
  /** The kind of query that it covers; absent for lists. */
  readonly kind?: string
  /** Why it may scan whole day partitions: every row is part of the answer. */
  readonly readsWholeDays?: string
  ask(service: ServiceUnderTest, tenantId: number): Promise<unknown>
}

const at = (msBeforeNow: number) => new Date(NOW - msBeforeNow)

function list(title: string, fields: Partial<ListEventsRequest>, readsWholeDays?: string): QueryShape {
  return {
    title: `events ${title}`,
    ...(readsWholeDays !== undefined && { readsWholeDays }),
    ask: (service, tenantId) =>
      service.calls.listEvents(listOf({ limit: 20, ...fields }), { tenant: String(tenantId) }),
  }
}

function sessions(title: string, fields: Partial<ListSessionsRequest>): QueryShape {
  const request = sessionsOf({ limit: 20, ...fields })
  return {
    title: `list of sessions ${title}`,
    ask: (service, tenantId) => service.calls.listSessions(request, { tenant: String(tenantId) }),
  }
}

function activities(title: string, fields: Partial<ListActivitiesRequest>): QueryShape {
  const request = activitiesOf({ limit: 20, ...fields })
  return {
    title: `list of activities ${title}`,
    ask: (service, tenantId) => service.calls.listActivities(request, { tenant: String(tenantId) }),
  }
}

function query(title: string, fields: Partial<RunQueryRequest>, readsWholeDays?: string): QueryShape {
  const request = queryOf({ event: 'Event 1', from: at(DAY), to: at(0), ...fields })
  return {
    title: `${request.kind} ${title}`,
    kind: request.kind,
    ...(readsWholeDays !== undefined && { readsWholeDays }),
    ask: (service, tenantId) => service.query(request, tenantId),
  }
}

/** Two pages, since the statement of the second one has a cursor. */
function nextPage(title: string, fields: Partial<RunQueryRequest>): QueryShape {
  const request = queryOf({ event: 'Event 1', from: at(DAY), to: at(0), ...fields })
  return {
    title: `${request.kind} ${title}`,
    kind: request.kind,
    ask: async (service, tenantId) => {
      const { nextCursor } = await service.query(request, tenantId)
      await service.query({ ...request, cursor: nextCursor }, tenantId)
    },
  }
}

const filter = (property: string, op: string, value: unknown = null) => ({
  property,
  op,
  valueJson: JSON.stringify(value),
})
const metric = (agg: string, property = '') => ({ agg, property })

/** Two hours that no rollup answers, in the middle of a day. */
const RAGGED = { from: at(3 * HOUR + 17), to: at(HOUR + 17) }
const PRICE = 'properties.price'

/** Every filter operator, on a column and on a property where it may stand on both; each makes the query one of raw rows. */
const FILTERED = [
  ['one user', filter('user_id', 'eq', 'user-7')],
  ['several users', filter('user_id', 'in', ['user-7', 'user-8', 'user-9'])],
  ['everyone but a user', filter('user_id', 'ne', 'user-7')],
  ['users by prefix', filter('user_id', 'prefix', 'user-1')],
  ['known users', filter('user_id', 'exists')],
  ['ids above one', filter('message_id', 'gt', 'm-100')],
  ['a property', filter('properties.plan', 'eq', 1)],
  ['values of a property', filter('properties.plan', 'in', [1, 2])],
  ['other values of a property', filter('properties.plan', 'ne', 1)],
  ['a property that is there', filter('properties.plan', 'exists')],
  ['a property by prefix', filter('properties.carrier', 'prefix', 'C1')],
  ['numbers above one', filter(PRICE, 'gte', 500)],
  ['texts below one', filter('properties.carrier', 'lt', 'C5')],
] as const

const STEPS = [
  { event: 'Event 1', filters: [] },
  { event: 'Event 2', filters: [filter('properties.plan', 'eq', 1)] },
]
const EVERY_USER = 'it follows every user through every day'

/** Whatever analytics-query may ask of PostgreSQL, a shape each. A new kind, or a new file with statements, fails the test until it is listed here. */
export const QUERY_SHAPES: readonly QueryShape[] = [
  list('of everybody', {}),
  list('of everybody in a range', { from: at(2 * HOUR), to: at(HOUR) }),
  list('of one user', { userId: 'user-7' }),
  list('of one user in a range', { userId: 'user-7', from: at(2 * HOUR), to: at(HOUR) }),
  list('of one name', { event: 'Event 1' }),
  list('of one name of one user', { event: 'Event 1', userId: 'user-7' }),
  list('of one message of one user', { messageId: 'm-23000', userId: 'user-7' }),
  list('with a property', { filters: [filter('properties.plan', 'eq', 1)] }),
  list('with a property of one user', { userId: 'user-7', filters: [filter('properties.plan', 'eq', 1)] }),
  list('of one message', { messageId: 'm-23000' }, 'no index serves message ids: windows grow until it is found'),
  sessions('of everybody', {}),
  sessions('of everybody in a range', { from: at(2 * HOUR), to: at(HOUR) }),
  sessions('that go on', { active: true }),
  sessions('that are over, on one device', { active: false, device: 'phone' }),
  sessions('of one user', { userId: 'user-7' }),
  sessions('of one user that go on', { userId: 'user-7', active: true }),
  sessions('of one id', { sessionId: 's-23000' }),
  activities('of everybody', {}),
  activities('of everybody in a range', { from: at(2 * HOUR), to: at(HOUR) }),
  activities('of one action', { action: 'deleted' }),
  activities('of one user', { userId: 'user-7' }),
  activities('of one entity', { entityType: 'order', entityId: 'e-7' }),
  query('from rollups of one name', {}),
  query('from rollups of every event', { event: '' }),
  query('from rollups over days, by the day', { from: at(3 * DAY), interval: '1d' }),
  query('from rollups in another zone', { interval: '1h', timezone: 'America/New_York' }),
  query('from rollups by a dimension', { groupBy: ['properties.carrier'] }),
  query('from rollups of one value of a dimension', { filters: [filter('properties.carrier', 'eq', 'C1')] }),
  query('from rollups with uniques', { metric: metric('uniques') }),
  query('from rollups with a sum', { metric: metric('sum', PRICE), groupBy: ['properties.carrier'] }),
  query('from rollups with a quantile', { metric: metric('p95', PRICE), groupBy: ['properties.carrier'] }),
  query('from rollups by the minute', { from: at(DAY / 4), interval: '1m' }),
  query('from rollups with uniques by the minute', { from: at(DAY / 4), interval: '1m', metric: metric('uniques') }),
  query('from rollups with ragged ends', { from: at(DAY + 17_017), to: at(90_017) }),
  ...FILTERED.map(([title, one]) => query(`from raw rows of ${title}`, { ...RAGGED, filters: [one] })),
  query('from raw rows of one user over days', {
    from: at(3 * DAY),
    interval: '1h',
    filters: [filter('user_id', 'eq', 'user-7')],
  }),
  query('from raw rows by a column', { ...RAGGED, groupBy: ['user_id'], interval: '5m' }),
  query('from raw rows by properties', { ...RAGGED, groupBy: ['properties.plan', 'properties.price'], interval: '5m' }),
  query('from raw rows with uniques', { ...RAGGED, metric: metric('uniques'), groupBy: ['properties.plan'] }),
  query('from raw rows with a sum', { ...RAGGED, metric: metric('sum', PRICE), groupBy: ['properties.plan'] }),
  query('from raw rows with a quantile', { ...RAGGED, metric: metric('p95', PRICE), groupBy: ['properties.plan'] }),
  query(
    'from raw rows over whole days',
    { from: at(3 * DAY), interval: '1d', groupBy: ['properties.plan'] },
    'a property without a rollup has to be counted row by row',
  ),
  query('by a dimension', { kind: 'top', groupBy: ['properties.carrier'], limit: 5 }),
  query('by a dimension', { kind: 'breakdown', groupBy: ['properties.carrier'] }),
  query('from raw rows by a column', { kind: 'top', ...RAGGED, groupBy: ['user_id'], limit: 5 }),
  query('from raw rows by a property and a sum', {
    kind: 'top',
    ...RAGGED,
    groupBy: ['properties.plan'],
    metric: metric('sum', PRICE),
    limit: 5,
  }),
  query('from raw rows with uniques', {
    kind: 'breakdown',
    ...RAGGED,
    groupBy: ['properties.plan', 'user_id'],
    metric: metric('uniques'),
    limit: 5,
  }),
  nextPage('from raw rows, the next page', { kind: 'breakdown', ...RAGGED, groupBy: ['user_id'], limit: 5 }),
  query('of one name', { kind: 'uniques' }),
  query('of a property', { kind: 'percentiles', metric: metric('', PRICE), groupBy: ['properties.carrier'] }),
  query('of two hours', { kind: 'funnel', event: '', ...RAGGED, steps: STEPS }),
  query('of two hours by a property', {
    kind: 'funnel',
    event: '',
    ...RAGGED,
    steps: STEPS,
    groupBy: ['properties.plan'],
  }),
  query('of days', { kind: 'funnel', event: '', from: at(3 * DAY), steps: STEPS }, EVERY_USER),
  query('of days', { kind: 'stickiness', from: at(3 * DAY) }, EVERY_USER),
  query('of days', { kind: 'retention', from: at(3 * DAY), returnEvent: 'Event 2' }, EVERY_USER),
  query('of a day', { kind: 'logins', event: '', interval: '1h' }),
  query('of a day by method', { kind: 'logins', event: '', groupBy: ['method'] }),
  query('of a day and one device', { kind: 'logins', event: '', filters: [filter('device', 'eq', 'phone')] }),
  query('of three days', { kind: 'daily', event: '', from: at(2.5 * DAY), to: at(-0.5 * DAY) }),
  query('of two hours', { kind: 'sessions', event: '', ...RAGGED }),
  query('of days', { kind: 'sessions', event: '', from: at(3 * DAY), interval: '1d' }, EVERY_USER),
]

/**
 * How many statements, or parts of them, each source file holds. A file that is not here, or holds another number, has statements that no shape
 * above is known to reach: add the shape, look at its plan, then set the number.
 */
export const STATEMENTS: Readonly<Record<string, number>> = {
  'lists/events-statements.ts': 4,
  'cells/cell-page-sql.ts': 3,
  'cells/raw-statement.ts': 2,
  'cells/read-catalog.ts': 5,
  'cells/rollup-statements.ts': 3,
  'reads/watermark-statement.ts': 1,
  'reads/open-reads.ts': 1,
  'journeys/marks-statement.ts': 1,
  'journeys/cut-statements.ts': 2,
  'journeys/packed-days-statement.ts': 2,
  'logins/login-statements.ts': 6,
  'measures/count.ts': 1,
  'measures/quantiles.ts': 1,
  'measures/sums.ts': 1,
  'measures/uniques.ts': 1,
  'daily-report/read-daily.ts': 4,
  'lists/list-statement.ts': 4,
  'lists/session-list.ts': 1,
  // Background work: one day of events at a time, or only rollups.
  'journeys/packing/cut-pack-statements.ts': 4,
  'journeys/packing/day-packer.ts': 1,
  'journeys/packing/pack-statements.ts': 6,
  'daily-report/daily-users.ts': 2,
  'daily-report/refresh-daily.ts': 2,
  // Small tables and statistics, not read by queries of a tenant.
  'invalidation/late-event-reader.ts': 1,
  'admission/read-statistics.ts': 3,
  'admission/tenant-limits.ts': 1,
}
