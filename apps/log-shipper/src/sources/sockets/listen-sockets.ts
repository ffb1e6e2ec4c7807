import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Principal } from '@millrace/auth'
import type { AcceptLogs } from '../../intake/accept-logs.js'
import { storeWithRetry } from '../store-with-retry.js'
import { LineConnection, type StoreLines } from './connection.js'
import { bindDatagrams, LineDatagrams } from './datagrams.js'
import type { SocketWire } from './socket-wire.js'

export interface SocketsConfig {
  readonly host: string
  /** TCP and UDP. 0 takes a free one. */
  readonly port: number
  /** Undefined: no server for TLS. */
  readonly tls: { readonly port: number; readonly certFile: string; readonly keyFile: string } | undefined
  /** Further connections of a server are closed at once. */
  readonly connectionsMax: number
  /** Every line is taken with it. */
  readonly key: string
}

export interface SocketsDeps {
  readonly acceptLogs: AcceptLogs
  /** @throws when the key is not valid, or keys cannot be looked up */
  readonly verifyKey: (key: string) => Principal | Promise<Principal>
  /** Called when lines of a connection could not be stored, and it was closed. */
  readonly onFault: (reason: string, error?: unknown) => void
  /** Called for messages of datagrams that could not be stored. */
  readonly onDropped: (messages: number) => void
}

/** Servers of a wire that listen. */
export interface SocketServers {
  readonly port: number
  readonly tlsPort: number | undefined
  /** Takes nothing more, stores what was read, and closes everything. */
  stop(): Promise<void>
}

/** Listens for the messages of a wire over TCP, UDP and, with a certificate, TLS. */
export async function listenSockets<Message extends { readonly bytes: Buffer }>(
  wire: SocketWire<Message>,
  config: SocketsConfig,
  deps: SocketsDeps,
): Promise<SocketServers> {
  let isStopped = false
  const store: StoreLines = (fill, onWait) =>
    storeWithRetry(
      async () => deps.acceptLogs({ principal: await deps.verifyKey(config.key), source: wire.name }, fill),
      { isStopped: () => isStopped, onWait },
    )
  const connections = new Set<LineConnection<Message>>()
  const serve = (socket: Socket) => {
    const connection = new LineConnection(socket, wire, {
      store,
      onFault: (error) => deps.onFault('its lines could not be stored', error),
    })
    connections.add(connection)
    socket.once('close', () => connections.delete(connection))
  }
  const opened: (() => Promise<void>)[] = []
  const stop = async () => {
    isStopped = true
    await Promise.all(opened.map((close) => close()))
    await Promise.all([...connections].map((connection) => connection.stop()))
  }
  try {
    const server = createServer({ keepAlive: true }, serve)
    const port = await listen(server, config.port, config)
    opened.push(() => close(server))
    const datagrams = new LineDatagrams(await bindDatagrams(config.host, port), wire, {
      store,
      onDropped: deps.onDropped,
    })
    opened.push(() => datagrams.stop())
    if (config.tls === undefined) return { port, tlsPort: undefined, stop }
    const { certFile, keyFile } = config.tls
    const secure = createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, serve)
    const tlsPort = await listen(secure, config.tls.port, config)
    opened.push(() => close(secure))
    return { port, tlsPort, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function listen(server: Server, port: number, { host, connectionsMax }: SocketsConfig): Promise<number> {
  server.maxConnections = connectionsMax
  server.listen(port, host)
  await once(server, 'listening')
  return (server.address() as { port: number }).port
}

/** Resolves at once: connections are stopped apart. */
async function close(server: Server): Promise<void> {
  server.close()
}
