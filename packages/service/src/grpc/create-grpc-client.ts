import { ChannelCredentials, Client, type ServiceError } from '@grpc/grpc-js'
import { coreErrors } from '@millrace/contracts'
import { currentContext, type Logger } from '@millrace/logger'
import { createPolicy, isRetryable, type Policy, type PolicyConfig } from '@millrace/resilience'
import type { GrpcMetrics, ResilienceMetrics, Tracer } from '@millrace/telemetry'
import type { Started } from '../lifecycle/lifecycle.js'
import { toMetadata, traceparentOf } from './call-metadata.js'
import { PeerHealth, probePeer } from './peer-health.js'
import { type MethodShape, type RequestOf, type ResponseOf, type ServiceShape, serviceNameOf } from './service-shape.js'
import { fromStatus } from './status-mapping.js'

/** Name, deadline and limits of a client. */
export interface GrpcClientConfig {
  /** Name of the peer in messages and metrics. Default: the name of the gRPC service. */
  readonly name?: string
  /** Deadline of a unary call with all its retries, in ms. Default 5,000. */
  readonly deadlineMs?: number
  /** Default: no encryption. */
  readonly credentials?: ChannelCredentials
  /** Largest message in both directions, in bytes. Default 16 MiB. */
  readonly messageBytesMax?: number
  /** Retries and circuit breaker of unary calls. Default: see PolicyConfig. A stream is opened once; its reader decides whether to open another. */
  readonly policy?: PolicyConfig
}

/** What a client reports to. */
export interface GrpcClientDeps {
  readonly metrics: GrpcMetrics
  readonly tracer: Tracer
  readonly logger: Logger
  readonly resilienceMetrics?: ResilienceMetrics
}

/** Options of one call. */
export interface CallOptions {
  readonly deadlineMs?: number
  readonly signal?: AbortSignal
  /** Default: the tenant of the log context. */
  readonly tenant?: string
  /** Default: the user id of the log context. */
  readonly caller?: string
}

/** Unary methods return promises, server-streaming methods async iterables; leaving the loop cancels the call. All errors are MillraceErrors. */
export type Calls<Service extends ServiceShape> = {
  readonly [Name in keyof Service]: Service[Name]['responseStream'] extends true
    ? (request: RequestOf<Service[Name]>, options?: CallOptions) => AsyncIterable<ResponseOf<Service[Name]>>
    : (request: RequestOf<Service[Name]>, options?: CallOptions) => Promise<ResponseOf<Service[Name]>>
}

/**
 * A client of one gRPC service. `service` is a generated client class or any object with the definition in `service`. It connects at the first call
 * and reconnects after a loss.
 */
export function createGrpcClient<Service extends ServiceShape>(
  { service }: { readonly service: Service },
  address: string,
  config: GrpcClientConfig,
  deps: GrpcClientDeps,
): Started<Calls<Service>> {
  const messageBytesMax = config.messageBytesMax ?? 16 * 1_048_576
  const client = new Client(address, config.credentials ?? ChannelCredentials.createInsecure(), {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  })
  const peer = config.name ?? serviceNameOf(service)
  const health = new PeerHealth()
  const caller: Caller = {
    client,
    peer,
    deps,
    deadlineMs: config.deadlineMs ?? 5_000,
    health,
    policy: createPeerPolicy({ client, health, name: peer }, config, deps),
  }
  const calls = Object.fromEntries(
    Object.entries(service).map(([name, method]) => [
      name,
      method.responseStream ? createStreamCall(caller, method) : createUnaryCall(caller, method),
    ]),
  )
  return [calls as Calls<Service>, () => client.close()]
}

interface Caller {
  readonly client: Client
  readonly peer: string
  readonly deps: GrpcClientDeps
  readonly deadlineMs: number
  readonly health: PeerHealth
  readonly policy: Policy
}

function createPeerPolicy(
  { client, health, name }: { readonly client: Client; readonly health: PeerHealth; readonly name: string },
  config: GrpcClientConfig,
  { logger, resilienceMetrics }: GrpcClientDeps,
): Policy {
  const retry = config.policy?.retry === false ? false : { isRetryable: isWorthRetrying, ...config.policy?.retry }
  const circuitBreaker = config.policy?.circuitBreaker !== false && {
    isFailure: (error: unknown) => health.isFailure(error),
    probe: () => probePeer(client),
    ...config.policy?.circuitBreaker,
  }
  return createPolicy(name, { ...config.policy, retry, circuitBreaker }, { logger, metrics: resilienceMetrics })
}

/** The deadline covers all attempts, so a call that exceeded it is not retried. */
function isWorthRetrying(error: unknown): boolean {
  return (
    isRetryable(error) &&
    !coreErrors.DEADLINE_EXCEEDED.matches(error) &&
    !coreErrors.DEPENDENCY_CIRCUIT_OPEN.matches(error)
  )
}

function createUnaryCall(caller: Caller, method: MethodShape) {
  const { deps, policy: peerPolicy } = caller
  const name = method.path.slice(1)
  return async (request: unknown, options: CallOptions = {}): Promise<unknown> => {
    const startedAt = performance.now()
    const deadline = new Date(Date.now() + (options.deadlineMs ?? caller.deadlineMs))
    const attempt = () => sendUnary(caller, method, request, { ...options, deadline })
    let code = 'OK'
    try {
      return await deps.tracer.withSpan(
        name,
        { 'rpc.system': 'grpc' },
        () => peerPolicy.execute(attempt, options.signal),
        { kind: 'client' },
      )
    } catch (error) {
      code = codeOf(error)
      throw error
    } finally {
      deps.metrics.client.with({ method: name, code }).observe((performance.now() - startedAt) / 1000)
    }
  }
}

function sendUnary(
  caller: Caller,
  method: MethodShape,
  request: unknown,
  options: CallOptions & { deadline: Date },
): Promise<unknown> {
  const { client, peer, health } = caller
  return new Promise((resolve, reject) => {
    const ended = health.begin()
    const settle = (error: ServiceError | null, response?: unknown) => {
      options.signal?.removeEventListener('abort', cancel)
      const failure = error === null ? undefined : fromStatus(error, peer)
      ended(failure)
      if (failure === undefined) resolve(response)
      else reject(failure)
    }
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize as (value: unknown) => Buffer,
      method.responseDeserialize,
      request,
      createMetadata(caller, options),
      { deadline: options.deadline },
      settle,
    )
    const cancel = () => call.cancel()
    options.signal?.addEventListener('abort', cancel, { once: true })
  })
}

function createStreamCall(caller: Caller, method: MethodShape) {
  return async function* stream(request: unknown, options: CallOptions = {}): AsyncGenerator<unknown, void, undefined> {
    options.signal?.throwIfAborted()
    const call = caller.client.makeServerStreamRequest(
      method.path,
      method.requestSerialize as (value: unknown) => Buffer,
      method.responseDeserialize,
      request,
      createMetadata(caller, options),
      options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs },
    )
    const cancel = () => call.cancel()
    options.signal?.addEventListener('abort', cancel, { once: true })
    // Cancelling emits an error even after the loop was left; without a listener it would end the process.
    call.on('error', () => undefined)
    try {
      for await (const message of call) yield message
    } catch (error) {
      throw isServiceError(error) ? fromStatus(error, caller.peer) : coreErrors.INTERNAL({ cause: error })
    } finally {
      options.signal?.removeEventListener('abort', cancel)
      call.cancel()
    }
  }
}

function createMetadata({ deps }: Caller, options: CallOptions) {
  const context = currentContext()
  return toMetadata({
    tenant: options.tenant ?? context?.tenant,
    caller: options.caller ?? context?.userId,
    requestId: context?.requestId,
    traceparent: deps.tracer.inject() ?? traceparentOf(context),
  })
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'metadata' in error && 'details' in error
}

/** Label of the metric. Error codes are a closed set. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'UNKNOWN'
}
