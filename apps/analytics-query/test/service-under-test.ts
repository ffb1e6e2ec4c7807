import {
  AnalyticsServiceClient,
  AnalyticsServiceService,
  type ListActivitiesRequest,
  type ListEventsRequest,
  type ListSessionsRequest,
  type QueryMeta,
  type QueryPoint,
  type RunQueryRequest,
} from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { type CursorValue, encodePosition } from '@millrace/pagination'
import { type Calls, createGrpcClient, implementService, startGrpcServer } from '@millrace/service'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { createTestDatabase } from '@millrace/testing'
import { createRunCells } from '../src/cells/run-cells.js'
import { createReadDaily } from '../src/daily-report/read-daily.js'
import type { CutWishes } from '../src/journeys/cut-wishes.js'
import { createReadMarks } from '../src/journeys/read-marks.js'
import { createQueryKinds } from '../src/kinds/query-kinds.js'
import { createReadLogins } from '../src/logins/read-logins.js'
import { QueryMetrics } from '../src/metrics.js'
import { createSnapshot } from '../src/reads/snapshot.js'
import { createListActivities } from '../src/rpc/list-activities.js'
import { createListEvents } from '../src/rpc/list-events.js'
import { createListSessions } from '../src/rpc/list-sessions.js'
import { createRunQuery } from '../src/rpc/run-query.js'

export interface TestAnswer {
  readonly data: QueryPoint[]
  readonly summary: unknown
  readonly nextCursor: string
  readonly meta: QueryMeta | undefined
}

export interface ServiceUnderTest {
  readonly database: Database
  readonly calls: Calls<typeof AnalyticsServiceService>
  /** Runs a query and reads what it answers. */
  query(request: RunQueryRequest, tenantId: number): Promise<TestAnswer>
  close(): Promise<void>
}

/** The service's operations behind a real gRPC server, on a database of its own. */
export async function startServiceUnderTest(
  options: {
    now?: () => number
    tailRowsMax?: number
    hasPackedDays?: boolean
    wishes?: CutWishes
    wrap?: (database: Database) => Database
  } = {},
): Promise<ServiceUnderTest> {
  const test = await createTestDatabase({ migrate })
  const opened = openDatabase({ url: test.url })
  const database = options.wrap?.(opened) ?? opened
  const metrics = createMetrics({ service: 'analytics-query', hasProcessMetrics: false })
  const snapshot = createSnapshot({ database })
  const now = options.now ?? (() => Date.now())
  const config = {
    tailRowsMax: options.tailRowsMax ?? 1000,
    cellsMax: 10_000,
    dirtyWindowsMax: 1000,
    stream: 'events',
    consumerGroup: 'events-store',
  }
  const queryMetrics = new QueryMetrics(metrics)
  const runCells = createRunCells(config, { now })
  const kinds = createQueryKinds({
    limits: { bucketsMax: 1000, cellsMax: config.cellsMax },
    runCells,
    readMarks: createReadMarks(
      { ...config, groupsMax: config.cellsMax, hasPackedDays: options.hasPackedDays === true },
      options.wishes === undefined ? {} : { wishes: options.wishes },
    ),
    readLogins: createReadLogins(config),
    readDaily: createReadDaily({ ...config, responseProperty: 'properties.duration_ms' }, { runCells, now }),
  })
  const service = implementService(AnalyticsServiceService, {
    listEvents: createListEvents({ snapshot, metrics: queryMetrics, now }),
    listSessions: createListSessions(config, { snapshot, metrics: queryMetrics }),
    listActivities: createListActivities(config, { snapshot, metrics: queryMetrics }),
    runQuery: createRunQuery({ kinds, reads: { snapshot }, metrics: queryMetrics, now }),
  })
  const grpcMetrics = createGrpcMetrics(metrics)
  const deps = { logger: silentLogger, metrics: grpcMetrics, tracer: noopTracer }
  const [server, stopServer] = await startGrpcServer({ port: 0 }, { ...deps, services: [service] })
  const [calls, stopClient] = createGrpcClient(
    AnalyticsServiceClient,
    `127.0.0.1:${server.port}`,
    // Slow machines are no fault.
    { policy: { retry: false }, deadlineMs: 60_000 },
    deps,
  )
  return {
    database,
    calls,
    async query(request, tenantId) {
      const { dataJson, summaryJson, nextCursor, meta } = await calls.runQuery(request, { tenant: String(tenantId) })
      const summary: unknown = summaryJson.length === 0 ? undefined : JSON.parse(summaryJson.toString())
      return { data: JSON.parse(dataJson.toString()) as QueryPoint[], summary, nextCursor, meta }
    },
    async close() {
      await stopClient()
      await stopServer()
      await database.close()
      await test.release()
    },
  }
}

/** A tenant; returns its id. */
export async function createTenant(database: Database, name: string): Promise<number> {
  const { rows } = await database.query<{ id: number }>('insert into tenants (name) values ($1) returning id', [name])
  return rows[0]?.id as number
}

export function queryOf(fields: Partial<RunQueryRequest>): RunQueryRequest {
  return {
    kind: 'timeseries',
    event: '',
    metric: { agg: 'count', property: '' },
    from: undefined,
    to: undefined,
    interval: '',
    timezone: '',
    filters: [],
    groupBy: [],
    limit: 0,
    cursor: '',
    explain: true,
    steps: [],
    windowMs: 0n,
    returnEvent: '',
    periods: 0,
    compare: '',
    fill: '',
    minWatermark: undefined,
    fresh: false,
    ...fields,
  }
}

export function listOf(fields: Partial<ListEventsRequest>): ListEventsRequest {
  return {
    event: '',
    userId: '',
    from: undefined,
    to: undefined,
    limit: 0,
    cursor: '',
    messageId: '',
    filters: [],
    ...fields,
  }
}

export function sessionsOf(fields: Partial<ListSessionsRequest>): ListSessionsRequest {
  const filters = { userId: '', sessionId: '', device: '', browser: '', os: '' }
  return { ...filters, from: undefined, to: undefined, limit: 0, cursor: '', ...fields }
}

export function activitiesOf(fields: Partial<ListActivitiesRequest>): ListActivitiesRequest {
  const filters = { userId: '', action: '', entityType: '', entityId: '' }
  return { ...filters, from: undefined, to: undefined, limit: 0, cursor: '', ...fields }
}

/** A cursor that is bound to the same query as an issued one and holds other values. */
export function forgeCursor(issued: string, values: readonly CursorValue[]): string {
  const BINDING_LENGTH = 12
  return `${issued.slice(0, BINDING_LENGTH)}${encodePosition(values)}`
}
