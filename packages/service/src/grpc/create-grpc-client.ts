import { ChannelCredentials, status as grpcStatus, type ServiceError } from '@grpc/grpc-js'
import { coreErrors, type MillraceError } from '@millrace/contracts'
import { currentContext, type Logger } from '@millrace/logger'
import {
  AnswerWatch,
  createPolicy,
  isRetryable,
  type Policy,
  type PolicyConfig,
  PROBE_LIMIT_MS,
} from '@millrace/resilience'
import type { GrpcMetrics, ResilienceMetrics, Tracer } from '@millrace/telemetry'
import type { Started } from '../lifecycle/lifecycle.js'
import { toMetadata, traceparentOf } from './call-metadata.js'
import { PeerChannel } from './peer-channel.js'
import { isSilence, PeerHealth } from './peer-health.js'
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
 * and reconnects after a loss. While the peer accepts connections but does not answer, calls fail with DEPENDENCY_UNAVAILABLE: those that wait after at
 * most 4.5 s, later ones at once, until the peer answers again. A call that only takes long is not affected.
 */
export function createGrpcClient<Service extends ServiceShape>(
  { service }: { readonly service: Service },
  address: string,
  config: GrpcClientConfig,
  deps: GrpcClientDeps,
): Started<Calls<Service>> {
  const peer = config.name ?? serviceNameOf(service)
  const channel = new PeerChannel({
    address,
    credentials: config.credentials ?? ChannelCredentials.createInsecure(),
    messageBytesMax: config.messageBytesMax ?? 16 * 1_048_576,
  })
  const watch = createPeerWatch(peer, channel, deps)
  const health = new PeerHealth()
  const caller: Caller = {
    channel,
    peer,
    deps,
    deadlineMs: config.deadlineMs ?? 5_000,
    health,
    watch,
    policy: createPeerPolicy({ channel, health, watch, name: peer }, config, deps),
  }
  deps.metrics.watchPeer(peer, () => watch.isUp)
  const calls = Object.fromEntries(
    Object.entries(service).map(([name, method]) => [
      name,
      method.responseStream ? createStreamCall(caller, method) : createUnaryCall(caller, method),
    ]),
  )
  const stop = () => {
    watch.close()
    channel.close()
  }
  return [calls as Calls<Service>, stop]
}

interface Caller {
  readonly channel: PeerChannel
  readonly peer: string
  readonly deps: GrpcClientDeps
  readonly deadlineMs: number
  readonly health: PeerHealth
  readonly watch: AnswerWatch
  readonly policy: Policy
}

/** Notices a peer that does not answer. Its connections are dead then, or stuck in the handshake, so they are replaced. */
function createPeerWatch(peer: string, channel: PeerChannel, { logger }: GrpcClientDeps): AnswerWatch {
  return new AnswerWatch(
    { name: peer },
    {
      probe: () => channel.probe(PROBE_LIMIT_MS),
      outage: (cause) => {
        channel.renew()
        return coreErrors.DEPENDENCY_UNAVAILABLE({ message: `${peer} does not answer`, cause, details: { peer } })
      },
      logger,
    },
  )
}

interface PeerParts {
  readonly channel: PeerChannel
  readonly health: PeerHealth
  readonly watch: AnswerWatch
  readonly name: string
}

function createPeerPolicy(
  { channel, health, watch, name }: PeerParts,
  config: GrpcClientConfig,
  { logger, resilienceMetrics }: GrpcClientDeps,
): Policy {
  const mayRetry = (error: unknown) => watch.outage === undefined && isWorthRetrying(error)
  const retry = config.policy?.retry === false ? false : { isRetryable: mayRetry, ...config.policy?.retry }
  const circuitBreaker = config.policy?.circuitBreaker !== false && {
    isFailure: (error: unknown) => health.isFailure(error),
    probe: () => channel.probe(PROBE_LIMIT_MS),
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
        () => {
          // In front of the circuit breaker, whose message would say less.
          if (caller.watch.outage !== undefined) throw caller.watch.outage
          return peerPolicy.execute(attempt, options.signal)
        },
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
  const { channel, peer, health, watch } = caller
  return new Promise((resolve, reject) => {
    const ended = health.begin()
    let lost: MillraceError | undefined
    const pending = {
      lose: (error: MillraceError) => {
        lost = error
        call.cancel()
      },
    }
    watch.begin(pending)
    const settle = (error: ServiceError | null, response?: unknown) => {
      options.signal?.removeEventListener('abort', cancel)
      const failure = error === null ? undefined : (lost ?? fromStatus(error, peer))
      watch.end(pending, isAnswer(failure))
      if (error?.code === grpcStatus.UNAVAILABLE && failure !== lost) watch.noteRefusal()
      ended(failure)
      if (failure === undefined) resolve(response)
      else reject(failure)
    }
    const call = channel.client.makeUnaryRequest(
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
    const { watch } = caller
    let lost: MillraceError | undefined
    const pending = {
      lose: (error: MillraceError) => {
        lost = error
        call.cancel()
      },
    }
    watch.begin(pending)
    const call = caller.channel.client.makeServerStreamRequest(
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
      for await (const message of call) {
        // Later messages may be far apart; keepalive notices a connection that dies between them.
        watch.end(pending, true)
        yield message
      }
    } catch (error) {
      if (lost !== undefined) throw lost
      throw isServiceError(error) ? fromStatus(error, caller.peer) : coreErrors.INTERNAL({ cause: error })
    } finally {
      watch.end(pending, false)
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

/** Whether the peer itself has answered, if only with an error. */
function isAnswer(failure: MillraceError | undefined): boolean {
  return failure === undefined || !isSilence(failure)
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'metadata' in error && 'details' in error
}

/** Label of the metric. Error codes are a closed set. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'UNKNOWN'
}
