import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { ChunkWindow } from './chunk-window.js'
import { type ForwardConfig, ForwardConnection, type ForwardDeps } from './connection.js'

/** A chunk is sent again within minutes; at 500 chunks a second these are 200 seconds. */
const CHUNKS_MAX = 100_000
/** Longer than the interval at which clients send something over a connection that they keep. */
const IDLE_MS_MAX = 10 * 60_000

export interface ForwardListenConfig extends ForwardConfig {
  readonly host: string
  /** TCP port, and UDP port for heartbeats. 0 takes a free one. */
  readonly port: number
  /** Further connections are closed at once. */
  readonly connectionsMax: number
}

/** A server of the Forward protocol that listens. */
export interface ForwardServer {
  readonly port: number
  /** Takes no more connections, stores what was read, and closes everything. */
  stop(): Promise<void>
}

/** Listens for clients of the Forward protocol: Fluentd, Fluent Bit, Docker and logging libraries. */
export async function listenForward(
  config: ForwardListenConfig,
  deps: Omit<ForwardDeps, 'chunks'>,
): Promise<ForwardServer> {
  const connections = new Set<ForwardConnection>()
  const chunks = new ChunkWindow(CHUNKS_MAX)
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    const connection = new ForwardConnection(socket, config, { ...deps, chunks })
    connections.add(connection)
    socket.setTimeout(IDLE_MS_MAX, () => socket.destroy())
    socket.once('close', () => connections.delete(connection))
  })
  server.maxConnections = config.connectionsMax
  server.listen(config.port, config.host)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const heartbeats = await answerHeartbeats(config.host, port).catch((error: unknown) => {
    server.close()
    throw error
  })
  return { port, stop: () => stop(server, heartbeats, connections) }
}

/** Fluentd asks by UDP whether a server is alive: each packet is answered by one byte. */
async function answerHeartbeats(host: string, port: number): Promise<UdpSocket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (_packet, from) => socket.send(Buffer.from([0]), from.port, from.address, () => {}))
  socket.bind(port, host)
  await once(socket, 'listening')
  socket.on('error', () => {})
  return socket
}

async function stop(server: Server, heartbeats: UdpSocket, connections: ReadonlySet<ForwardConnection>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  await Promise.all([...connections].map((connection) => connection.stop()))
  heartbeats.close()
  await closed
}
