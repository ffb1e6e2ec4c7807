import type * as Grpc from '@grpc/grpc-js'
import { currentTraceparent } from './current-traceparent.js'
import { runWithContext } from './log-context.js'
import type { LogLevel } from './log-level.js'
import type { Logger } from './logger.js'
import { createSpanId, createTraceId, parseTraceparent } from './traceparent.js'

/** `grpc` is the module @grpc/grpc-js of the program, so that the logger does not bring a second one. */
interface GrpcLoggingOptions {
  readonly grpc: typeof Grpc
  readonly logger: Logger
}

/** The server's own faults. All other codes but OK are faults of callers. */
const SERVER_FAULTS = new Set([2, 4, 8, 12, 13, 14, 15])

/**
 * An interceptor for servers: the trace of the caller's `traceparent` or a new one is on every line that is logged while the call is handled, and one
 * line says method, status and duration when it has ended: level error for faults of the server, warn for other codes than OK, else info.
 */
export function createGrpcServerLogging({ grpc, logger }: GrpcLoggingOptions): Grpc.ServerInterceptor {
  return (definition, call) => {
    const startedAt = performance.now()
    let context = { traceId: '', spanId: createSpanId() }
    let hasEnded = false
    const end = (code: number) => {
      // A call that is cancelled may still be answered by its handler.
      if (hasEnded) return
      hasEnded = true
      const level = levelOf(code)
      if (!logger.isEnabled(level)) return
      runWithContext(context, () =>
        logger[level]('a call was answered', {
          method: definition.path,
          status: grpc.status[code] ?? code,
          duration_ms: Math.round((performance.now() - startedAt) * 1000) / 1000,
        }),
      )
    }
    return new grpc.ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, nextMetadata) => {
            const header = metadata.get('traceparent')[0]
            const parent = typeof header === 'string' ? parseTraceparent(header) : undefined
            context = { ...context, traceId: parent?.traceId ?? createTraceId() }
            runWithContext(context, () => nextMetadata(metadata))
          },
          onReceiveMessage: (message, nextMessage) => runWithContext(context, () => nextMessage(message)),
          onReceiveHalfClose: (nextHalfClose) => runWithContext(context, () => nextHalfClose()),
          onCancel: () => end(grpc.status.CANCELLED),
        }),
      sendStatus: (status, next) => {
        end(status.code)
        next(status)
      },
    })
  }
}

/** An interceptor for clients: calls carry the trace of the request during which they are made. */
export function createGrpcClientTracing(grpc: typeof Grpc): Grpc.Interceptor {
  return (options, nextCall) =>
    new grpc.InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        const header = currentTraceparent()
        if (header !== undefined && metadata.get('traceparent').length === 0) metadata.set('traceparent', header)
        next(metadata, listener)
      },
    })
}

function levelOf(code: number): LogLevel {
  if (code === 0) return 'info'
  return SERVER_FAULTS.has(code) ? 'error' : 'warn'
}
