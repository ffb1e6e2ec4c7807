import { AnalyticsServiceService, descriptorSet } from '@millrace/contracts'
import { startDatabase } from '@millrace/database'
import { agreeOnSettings, implementService, type Lifecycle, startGrpcServer } from '@millrace/service'
import { createGrpcMetrics } from '@millrace/telemetry'
import { openAnswers } from './answer-cache/open-answers.js'
import type { PopularQuery } from './answer-cache/popular-queries.js'
import { warmAnswers } from './answer-cache/warm-answers.js'
import { createRunCells } from './cells/run-cells.js'
import type { Config } from './config.js'
import { openReports } from './daily-report/open-reports.js'
import { createReadDaily } from './daily-report/read-daily.js'
import { CutWishes } from './journeys/cut-wishes.js'
import { openPacking } from './journeys/packing/open-packing.js'
import { createReadMarks } from './journeys/read-marks.js'
import { createQueryKinds } from './kinds/query-kinds.js'
import { createReadLogins } from './logins/read-logins.js'
import { QueryMetrics } from './metrics.js'
import { openReads } from './reads/open-reads.js'
import { createListActivities } from './rpc/list-activities.js'
import { createListEvents } from './rpc/list-events.js'
import { createListSessions } from './rpc/list-sessions.js'
import { createRunQuery } from './rpc/run-query.js'

/** Composition root: builds and starts the service, which serves calls once this resolves. */
export async function run(config: Config, lifecycle: Lifecycle): Promise<void> {
  const { logger, metrics, tracer } = lifecycle
  const database = await lifecycle.start('database', () =>
    startDatabase(config, lifecycle, {
      replicaUrl: config.DATABASE_REPLICA_URL?.reveal(),
      statementTimeoutMs: config.QUERY_TIMEOUT_MS,
    }),
  )
  lifecycle.ready('database', async () => void (await database.ping()))
  await agreeOnSettings(config, lifecycle, database)

  const now = () => Date.now()
  const { snapshot, admission, isBusy } = await openReads(config, lifecycle, database)
  const runCells = createRunCells(
    {
      tailRowsMax: config.QUERY_TAIL_ROWS_MAX,
      cellsMax: config.QUERY_CELLS_MAX,
      dirtyWindowsMax: config.QUERY_DIRTY_WINDOWS_MAX,
      stream: config.STREAM_NAME,
      consumerGroup: config.STREAM_GROUP,
    },
    { now },
  )
  const stream = { stream: config.STREAM_NAME, consumerGroup: config.STREAM_GROUP }
  const wishes = new CutWishes(() => performance.now())
  const readMarks = createReadMarks(
    { ...stream, groupsMax: config.QUERY_CELLS_MAX, hasPackedDays: config.PACK_DAYS_INTERVAL_MS > 0 },
    { wishes },
  )
  const readLogins = createReadLogins({ ...stream, cellsMax: config.QUERY_CELLS_MAX })
  const readDaily = createReadDaily({ ...stream, responseProperty: config.QUERY_RESPONSE_PROPERTY }, { runCells, now })
  const answers = await openAnswers(config, lifecycle)
  const queryMetrics = new QueryMetrics(metrics)
  const limits = { bucketsMax: config.QUERY_BUCKETS_MAX, cellsMax: config.QUERY_CELLS_MAX }
  const kinds = createQueryKinds({ limits, runCells, readMarks, readLogins, readDaily })
  const runQuery = createRunQuery({ kinds, reads: { snapshot, admission }, answers, metrics: queryMetrics, now })
  const analytics = implementService(AnalyticsServiceService, {
    listEvents: createListEvents({ snapshot, admission, metrics: queryMetrics, now }),
    listSessions: createListSessions(stream, { snapshot, metrics: queryMetrics }),
    listActivities: createListActivities(stream, { snapshot, metrics: queryMetrics }),
    runQuery,
  })
  await openReports(config, lifecycle, database)
  await openPacking(config, lifecycle, { database, wishes, isBusy })
  await lifecycle.start('grpc server', () =>
    startGrpcServer(
      { host: config.GRPC_HOST, port: config.GRPC_PORT, setting: 'GRPC_PORT', descriptorSet: descriptorSet() },
      { services: [analytics], logger, metrics: createGrpcMetrics(metrics), tracer },
    ),
  )
  await lifecycle.start('cache warming', () => {
    const { stopping } = lifecycle
    const ask = ({ tenantId, request }: PopularQuery) =>
      runQuery(request, { tenant: String(tenantId), signal: stopping, deadline: undefined })
    const warming = warmAnswers(answers, { ask, stopping, logger })
    return [undefined, async () => void (await warming)]
  })
}
