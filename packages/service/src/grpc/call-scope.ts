import { status as grpcStatus, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js'
import { coreErrors, isMillraceError, KIND_TRAITS, type MillraceError, toMillraceError } from '@millrace/contracts'
import { createSpanId, createTraceId, type Logger, parseTraceparent, runWithContext } from '@millrace/logger'
import type { GrpcMetrics, Span, Tracer } from '@millrace/telemetry'
import type { CallContext } from './call-context.js'
import { fromMetadata } from './call-metadata.js'
import { toStatus } from './status-mapping.js'

type ServerCall = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>

/** How a call ended. */
export type CallOutcome<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'error'; readonly error: MillraceError }

/** One received call in progress. */
export interface CallScope {
  readonly context: CallContext
  /** Runs the handler with ids, span and metrics. Never rejects. */
  run<T>(work: () => Promise<T>): Promise<CallOutcome<T>>
}

export interface CallScopesOptions {
  readonly logger: Logger
  readonly metrics: GrpcMetrics
  readonly tracer: Tracer
  readonly defaultDeadlineMs: number
}

/** Opens a scope for each received call and keeps track of running streams. */
export class CallScopes {
  readonly #options: CallScopesOptions
  readonly #streams = new Set<AbortController>()

  constructor(options: CallScopesOptions) {
    this.#options = options
  }

  /** Ends all running streams with SHUTTING_DOWN, because streams do not end by themselves. Callers can retry on another instance. */
  abortStreams(): void {
    for (const controller of this.#streams) controller.abort(coreErrors.SHUTTING_DOWN())
  }

  /** A unary call without a deadline gets the default one; a stream without a deadline stays open. */
  open(path: string, call: ServerCall, isUnary: boolean): CallScope {
    const controller = new AbortController()
    const deadline = deadlineOf(call) ?? (isUnary ? new Date(Date.now() + this.#options.defaultDeadlineMs) : undefined)
    const identity = fromMetadata(call.metadata)
    const parent = parseTraceparent(identity.traceparent)
    const traceId = parent?.traceId ?? createTraceId()
    const context: CallContext = {
      tenant: identity.tenant,
      caller: identity.caller,
      requestId: identity.requestId ?? traceId,
      traceId,
      signal: controller.signal,
      deadline,
      metadata: call.metadata,
    }
    const scope = { context, controller, isUnary, traceparent: identity.traceparent }
    return { context, run: (work) => this.#run(path, call, scope, work) }
  }

  async #run<T>(path: string, call: ServerCall, scope: OpenScope, work: () => Promise<T>): Promise<CallOutcome<T>> {
    const { metrics, tracer } = this.#options
    const startedAt = performance.now()
    const release = this.#watch(call, scope)
    const traced = (span: Span) => {
      const current = tracer.current()
      const { tenant, caller, requestId, traceId } = scope.context
      const ids = {
        tenant,
        userId: caller,
        requestId,
        traceId: current?.traceId ?? traceId,
        spanId: current?.spanId ?? createSpanId(),
      }
      return runWithContext(ids, () => this.#settle(path, span, work))
    }
    const outcome = await tracer.withSpan(path.slice(1), { 'rpc.system': 'grpc' }, traced, {
      kind: 'server',
      parent: scope.traceparent,
    })
    release()
    const code = outcome.kind === 'ok' ? 'OK' : statusName(outcome.error)
    metrics.server.with({ method: path.slice(1), code }).observe((performance.now() - startedAt) / 1000)
    return outcome
  }

  async #settle<T>(path: string, span: Span, work: () => Promise<T>): Promise<CallOutcome<T>> {
    try {
      return { kind: 'ok', value: await work() }
    } catch (thrown) {
      const error = isAbort(thrown) ? coreErrors.CALL_CANCELLED({ cause: thrown }) : toMillraceError(thrown)
      const level = KIND_TRAITS[error.kind].logLevel
      const isNormal =
        level === 'debug' || coreErrors.CALL_CANCELLED.matches(error) || coreErrors.SHUTTING_DOWN.matches(error)
      // Rejected and cancelled calls are normal: they are logged at debug level, and their spans do not count as failed.
      if (!isNormal) span.recordError(error)
      const { logger } = this.#options
      logger[isNormal ? 'debug' : level]('a call failed', { method: path, error })
      return { kind: 'error', error }
    }
  }

  /** Aborts the call when it is cancelled or its deadline passes, until the returned function is called. */
  #watch(call: ServerCall, { context, controller, isUnary }: OpenScope): () => void {
    const onCancelled = () => controller.abort(coreErrors.CALL_CANCELLED())
    const lateMs = context.deadline === undefined ? undefined : Math.max(0, context.deadline.getTime() - Date.now())
    const timer =
      lateMs === undefined ? undefined : setTimeout(() => controller.abort(coreErrors.DEADLINE_EXCEEDED()), lateMs)
    call.on('cancelled', onCancelled)
    if (!isUnary) this.#streams.add(controller)
    return () => {
      clearTimeout(timer)
      call.off('cancelled', onCancelled)
      this.#streams.delete(controller)
    }
  }
}

interface OpenScope {
  readonly context: CallContext
  readonly controller: AbortController
  readonly isUnary: boolean
  readonly traceparent: string | undefined
}

function deadlineOf(call: ServerCall): Date | undefined {
  const deadline = call.getDeadline()
  if (deadline instanceof Date) return deadline
  return Number.isFinite(deadline) ? new Date(deadline) : undefined
}

function isAbort(error: unknown): boolean {
  return !isMillraceError(error) && error instanceof Error && error.name === 'AbortError'
}

function statusName(error: MillraceError): string {
  return grpcStatus[toStatus(error).code] ?? 'UNKNOWN'
}
