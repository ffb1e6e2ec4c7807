import { hostname } from 'node:os'
import type { KeyVerifier, Principal } from '@millrace/auth'
import { requireScope } from '@millrace/auth'
import { SECOND_MS, toMillraceError } from '@millrace/contracts'
import { type Lifecycle, type Secret, startGrpcServer } from '@millrace/service'
import type { GrpcMetrics } from '@millrace/telemetry'
import type { Config } from '../config.js'
import type { AcceptLogs } from '../intake/accept-logs.js'
import type { ShipperMetrics } from '../metrics.js'
import { listenForward } from '../sources/forward/listen.js'
import { gelfWire } from '../sources/gelf/gelf-wire.js'
import { createOtlpGrpcService } from '../sources/otlp/serve-grpc.js'
import { listenSockets, type SocketsConfig } from '../sources/sockets/listen-sockets.js'
import type { SocketWire } from '../sources/sockets/socket-wire.js'
import { syslogWire } from '../sources/syslog/syslog-wire.js'

/** Faults of connections are logged at most this often for each wire. */
const FAULT_LOG_MS = 10 * SECOND_MS
const UNSTORED_BYTES_MAX = 8 * 1_048_576

interface ListenerDeps {
  readonly config: Config
  readonly lifecycle: Lifecycle
  readonly acceptLogs: AcceptLogs
  readonly verifier: Pick<KeyVerifier, 'verify' | 'verifyKey'>
  readonly metrics: ShipperMetrics
  readonly grpcMetrics: GrpcMetrics
}

/** Starts the servers of the wires that are not HTTP; of those whose clients cannot send a key, the ones that have one. */
export async function startListeners(deps: ListenerDeps): Promise<void> {
  const { config, lifecycle } = deps
  await startOtlpGrpc(deps)
  const keys = (config.FORWARD_API_KEYS?.reveal() ?? '')
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
  if (keys.length > 0)
    await lifecycle.start('forward server', async () => {
      const server = await listenForward(
        {
          host: config.LISTEN_HOST,
          port: config.FORWARD_PORT,
          connectionsMax: config.LISTEN_CONNECTIONS_MAX,
          messageBytesMax: config.LOG_BODY_BYTES_MAX,
          unstoredBytesMax: UNSTORED_BYTES_MAX,
          hostname: hostname(),
          keys,
          needsHandshake: config.FORWARD_HANDSHAKE,
        },
        { ...common(deps), onFault: createOnFault('forward', deps) },
      )
      return [server, () => server.stop()]
    })
  const { SYSLOG_TLS_CERT_FILE: certFile, SYSLOG_TLS_KEY_FILE: keyFile, SYSLOG_TLS_PORT: tlsPort } = config
  const tls = certFile === undefined || keyFile === undefined ? undefined : { port: tlsPort, certFile, keyFile }
  await startSockets(syslogWire, { key: config.SYSLOG_API_KEY, port: config.SYSLOG_PORT, tls }, deps)
  await startSockets(gelfWire, { key: config.GELF_API_KEY, port: config.GELF_PORT, tls: undefined }, deps)
}

async function startOtlpGrpc(deps: ListenerDeps): Promise<void> {
  const { config, lifecycle, acceptLogs, verifier, metrics, grpcMetrics } = deps
  const { logger, tracer } = lifecycle
  const service = createOtlpGrpcService({
    acceptLogs,
    verifier,
    onRefused: (error) => metrics.noteRefused(toMillraceError(error).code),
  })
  await lifecycle.start('server for OTLP over gRPC', () =>
    startGrpcServer(
      {
        host: config.LISTEN_HOST,
        port: config.OTLP_GRPC_PORT,
        setting: 'OTLP_GRPC_PORT',
        messageBytesMax: config.LOG_BODY_BYTES_MAX,
      },
      { services: [service], logger, metrics: grpcMetrics, tracer },
    ),
  )
}

/** Starts the servers of a wire without keys when there is a key for its lines. */
async function startSockets<Message extends { readonly bytes: Buffer }>(
  wire: SocketWire<Message>,
  { key, port, tls }: Pick<SocketsConfig, 'port' | 'tls'> & { readonly key: Secret | undefined },
  deps: ListenerDeps,
): Promise<void> {
  if (key === undefined) return
  const { config, lifecycle, metrics } = deps
  const { LISTEN_HOST: host, LISTEN_CONNECTIONS_MAX: connectionsMax } = config
  await lifecycle.start(`${wire.name} servers`, async () => {
    const servers = await listenSockets(
      wire,
      { host, port, tls, connectionsMax, key: key.reveal() },
      {
        ...common(deps),
        onFault: createOnFault(wire.name, deps),
        onDropped: (lines) => metrics.noteDropped(wire.name, lines),
      },
    )
    return [servers, () => servers.stop()]
  })
}

function common({ acceptLogs, verifier }: ListenerDeps) {
  const verifyKey = async (key: string): Promise<Principal> => {
    const principal = await verifier.verifyKey(key)
    requireScope(principal, 'write')
    return principal
  }
  return { acceptLogs, verifyKey }
}

/** Logs that a connection was closed; a client that connects again and again must not fill the log. */
function createOnFault(source: string, { lifecycle }: ListenerDeps): (reason: string, error?: unknown) => void {
  let nextAt = 0
  let closed = 0
  return (reason, error) => {
    closed++
    if (Date.now() < nextAt) return
    nextAt = Date.now() + FAULT_LOG_MS
    lifecycle.logger.warn('connections of a log client were closed', { source, reason, closed, error })
    closed = 0
  }
}
