import { type LogConditions, LogServiceClient, type SearchLogsRequest } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { createGrpcClient } from '@millrace/service'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'

/** The conditions that every line meets. */
export const EVERY_LINE: LogConditions = {
  from: undefined,
  to: undefined,
  levels: [],
  services: [],
  host: '',
  traceId: '',
  query: '',
  contains: '',
}

/** A search for the newest 100 lines, whole. */
export const SEARCH_ALL: SearchLogsRequest = {
  ...EVERY_LINE,
  limit: 100,
  cursor: '',
  fields: [],
  highlight: false,
  oldestFirst: false,
}

/** A gRPC client of a log-shipper on this machine, and what closes it. */
export function openLogService(port: number) {
  return createGrpcClient(
    { service: LogServiceClient.service },
    `127.0.0.1:${port}`,
    { name: 'log-shipper', deadlineMs: 60_000 },
    { logger: silentLogger, tracer: noopTracer, metrics: createGrpcMetrics(createMetrics({ service: 'test' })) },
  )
}
