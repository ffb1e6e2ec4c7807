export { createLogger, type LoggerConfig, type LoggerDeps } from './create-logger.js'
export { currentContext, type LogContext, runWithContext } from './log-context.js'
export { isLogThreshold, type LogLevel, type LogThreshold, logThresholds } from './log-level.js'
export { type LogFields, type Logger, type RootLogger, silentLogger } from './logger.js'
