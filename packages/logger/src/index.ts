export { type AuditEntry, logAudit, logSecurity, type SecurityEntry } from './audit-entry.js'
export { createLogger, type LoggerConfig, type LoggerDeps } from './create-logger.js'
export { currentTraceparent } from './current-traceparent.js'
export { createGrpcClientTracing, createGrpcServerLogging } from './grpc-logging.js'
export { createHttpLogging, type HttpLogging, type HttpLoggingOptions } from './http-logging.js'
export { currentContext, type LogContext, runWithContext } from './log-context.js'
export { isLogThreshold, type LogLevel, type LogThreshold, logThresholds } from './log-level.js'
export { type LogFields, type Logger, type RootLogger, silentLogger } from './logger.js'
export { createQueryLogging, type FinishedQuery } from './query-logging.js'
export type { SamplingRule } from './sample-format.js'
export { sanitiseSql } from './sanitise-sql.js'
export type { ShippingConfig } from './ship-lines.js'
export type { ShippingCounts } from './shipping-counts.js'
export {
  createSpanId,
  createTraceId,
  formatTraceparent,
  parseTraceparent,
  type TraceParent,
} from './traceparent.js'
