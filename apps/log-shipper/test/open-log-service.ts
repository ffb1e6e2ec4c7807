import { LogServiceClient } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { createGrpcClient } from '@millrace/service'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'

/** A gRPC client of a log-shipper on this machine, and what closes it. */
export function openLogService(port: number) {
  return createGrpcClient(
    { service: LogServiceClient.service },
    `127.0.0.1:${port}`,
    { name: 'log-shipper', deadlineMs: 60_000 },
    { logger: silentLogger, tracer: noopTracer, metrics: createGrpcMetrics(createMetrics({ service: 'test' })) },
  )
}
