import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { Logger } from '@millrace/logger'
import type { GrpcMetrics, Tracer } from '@millrace/telemetry'
import type { Started } from '../lifecycle/lifecycle.js'
import { type ListenAddress, toListenError } from '../lifecycle/listen-error.js'
import { CallScopes } from './call-scope.js'
import type { GrpcService } from './implement-service.js'

/** Address and limits of a gRPC server. */
export interface GrpcServerConfig extends ListenAddress {
  /** Serialised FileDescriptorSet for reflection. Default: reflection is off. */
  readonly descriptorSet?: Uint8Array
  /** Default: no encryption. */
  readonly credentials?: ServerCredentials
  /** Deadline of a unary call whose caller set none, in ms. Default 30,000. */
  readonly defaultDeadlineMs?: number
  /** Largest message in both directions, in bytes. Default 16 MiB. */
  readonly messageBytesMax?: number
  /** How long unary calls may take once the server stops, in ms; then they are cut. Default 10,000, or the stop's budget if that is less. */
  readonly drainTimeoutMs?: number
}

/** Services of a gRPC server, and what it reports to. */
export interface GrpcServerDeps {
  readonly services: readonly GrpcService[]
  readonly logger: Logger
  readonly metrics: GrpcMetrics
  readonly tracer: Tracer
}

/** A running gRPC server. */
export interface GrpcServer {
  /** The port that the server listens on, also when the configured port is 0. */
  readonly port: number
  /** Sets the status that the health service reports for every service. Initially SERVING. */
  setServing(isServing: boolean): void
}

/**
 * A gRPC server with the health service, reflection, deadlines, ids, metrics and error mapping. To stop, it reports NOT_SERVING, ends streams with a
 * retryable SHUTTING_DOWN, refuses new calls and lets unary calls in progress finish.
 */
export async function startGrpcServer(config: GrpcServerConfig, deps: GrpcServerDeps): Promise<Started<GrpcServer>> {
  const messageBytesMax = config.messageBytesMax ?? 16 * 1_048_576
  const server = new Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.keepalive_permit_without_calls': 1,
    // channelz counts every call, and nothing reads its counters.
    'grpc.enable_channelz': 0,
  })
  const scopes = new CallScopes({ ...deps, defaultDeadlineMs: config.defaultDeadlineMs ?? 30_000 })
  for (const service of deps.services) server.addService(service.definition, service.implement(scopes))
  const setServing = await addHealth(server, deps.services)
  if (config.descriptorSet !== undefined) await addReflection(server, config.descriptorSet, deps.services)
  const port = await bind(server, config)
  const timeoutMs = config.drainTimeoutMs ?? 10_000
  const stop = async (budgetMs = timeoutMs) => {
    setServing(false)
    await drain(server, scopes, Math.min(timeoutMs, budgetMs))
  }
  return [{ port, setServing }, stop]
}

/** Imported here, because the health service brings a protobuf parser that services without gRPC do not need. */
async function addHealth(server: Server, services: readonly GrpcService[]): Promise<(isServing: boolean) => void> {
  const { HealthImplementation } = await import('grpc-health-check')
  const names = ['', ...services.map((service) => service.name)]
  const health = new HealthImplementation(Object.fromEntries(names.map((name) => [name, 'SERVING' as const])))
  health.addToServer(server)
  return (isServing) => {
    for (const name of names) health.setStatus(name, isServing ? 'SERVING' : 'NOT_SERVING')
  }
}

/** The set can describe more services than this server has; only those that it has are listed. */
async function addReflection(
  server: Server,
  descriptorSet: Uint8Array,
  services: readonly GrpcService[],
): Promise<void> {
  const { ReflectionService } = await import('@grpc/reflection')
  const { loadFileDescriptorSetFromBuffer } = await import('@grpc/proto-loader')
  const described = loadFileDescriptorSetFromBuffer(Buffer.from(descriptorSet))
  new ReflectionService(described, { services: services.map(({ name }) => name) }).addToServer(server)
}

function bind(server: Server, config: GrpcServerConfig): Promise<number> {
  const credentials = config.credentials ?? ServerCredentials.createInsecure()
  return new Promise((resolve, reject) => {
    server.bindAsync(`${config.host ?? '127.0.0.1'}:${config.port}`, credentials, (error, port) => {
      if (error === null) resolve(port)
      else reject(toListenError(error, config))
    })
  })
}

function drain(server: Server, scopes: CallScopes, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), timeoutMs)
    server.tryShutdown(() => {
      clearTimeout(force)
      resolve()
    })
    scopes.abortStreams()
  })
}
