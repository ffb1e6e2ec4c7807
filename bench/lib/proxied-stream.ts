import { type Server, type Supervised, startKafka, startRedis, supervise } from '@millrace/local-stack'
import { startTcpProxy, type TcpProxy } from '@millrace/testing'
import type { StreamKind } from './stream-kind.js'

/** A server of the stream that is not part of a stack, and a proxy in front of it. */
export interface ProxiedStream {
  /** Started again when it dies. */
  readonly supervised: Supervised
  readonly proxy: TcpProxy
  /** Settings by which the services of a stack use the server through the proxy. */
  readonly env: Record<string, string>
  stop(): Promise<void>
}

/** Replaced by the server's port once it runs. */
const NO_PORT = 9

/** Starts the server and the proxy. `say` receives one line when the server dies and one when it is ready again. */
export async function startProxiedStream(kind: StreamKind, say: (line: string) => void): Promise<ProxiedStream> {
  const proxy = await startTcpProxy(NO_PORT)
  try {
    const { server, port, env } = await (kind === 'kafka' ? startBroker(proxy) : startStreamRedis(proxy))
    proxy.target(port)
    const supervised = supervise(server, { say, onGivenUp: ({ message }) => say(message) })
    return {
      supervised,
      proxy,
      env,
      stop: async () => {
        await supervised.stop()
        await proxy.stop()
      },
    }
  } catch (error) {
    await proxy.stop()
    throw error
  }
}

interface StartedStream {
  server: Server
  port: number
  env: Record<string, string>
}

/** Clients of a broker connect to the address that it advertises, so it has to advertise the proxy's. */
async function startBroker(proxy: TcpProxy): Promise<StartedStream> {
  const address = `127.0.0.1:${proxy.port}`
  const server = await startKafka({ settings: { 'advertised.listeners': `CLIENT://${address}` } })
  return { server, port: server.port, env: { STREAM_DRIVER: 'kafka', KAFKA_BROKERS: address } }
}

async function startStreamRedis(proxy: TcpProxy): Promise<StartedStream> {
  const server = await startRedis({ name: 'Redis for streams' })
  return { server, port: server.port, env: { STREAM_REDIS_URL: proxy.through(server.url) } }
}
