import {
  removeTemporary,
  type Stack,
  startPostgres,
  startRedis,
  startStack,
  temporaryDirectory,
} from '@millrace/local-stack'
import { startTcpProxy, type TcpProxy, waitFor } from '@millrace/testing'
import { startProxiedStream } from '../lib/proxied-stream.js'
import type { StreamKind } from '../lib/stream-kind.js'
import { type Dependency, type Fault, STREAM_SERVERS } from './outage-table.js'

/** Something that can fail in every way of the table. */
interface Breakable {
  readonly proxies: readonly TcpProxy[]
  /** Stops the process with SIGSTOP, so that it keeps its connections and does not answer. */
  readonly freeze: () => Promise<void>
  readonly resume: () => Promise<void>
}

/** A stack whose services reach servers and each other through proxies. */
export interface OutageStack {
  readonly stack: Stack
  /** The dependencies that are no services of ours. */
  readonly servers: readonly Dependency[]
  /** Begins the fault and returns once it is in effect. */
  begin(dependency: Dependency, fault: Fault): Promise<void>
  /** Ends every fault of the dependency. */
  end(dependency: Dependency): Promise<void>
  /** What became of the events of a receipt: `stored` when each is stored once. Waits up to 2 minutes. */
  settled(receipt: string): Promise<string>
  stop(): Promise<void>
}

/** A known key is looked up again after this time, so that the look-up falls into the outage. */
const KEY_CACHE_MS = 1_000
const LEASE_MS = 5_000
/** The default of 10 s would make a cell take 20 s. */
const WAIT_STORED_MS = 5_000
const SETTLED_WITHIN_MS = 120_000
/** Replaced by the port of the peer once the stack runs. */
const NO_PORT = 9

/** Starts PostgreSQL, the server of the stream, Redis for the cache, all services and a proxy in front of each of them. */
export async function startOutageStack(say: (line: string) => void, kind: StreamKind = 'redis'): Promise<OutageStack> {
  const stops: (() => Promise<void>)[] = []
  const keep = <T extends { stop(): Promise<void> }>(started: T): T => {
    stops.push(() => started.stop())
    return started
  }
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  try {
    const [postgres, stream, cacheRedis] = [
      keep(await startPostgres()),
      keep(await startProxiedStream(kind, say)),
      keep(await startRedis({ name: 'Redis for the cache', appendonly: false })),
    ]
    const proxyOf = async (port: number) => keep(await startTcpProxy(port))
    const proxies = {
      postgres: await proxyOf(postgres.port),
      cacheRedis: await proxyOf(cacheRedis.port),
      consumer: await proxyOf(NO_PORT),
      analytics: await proxyOf(NO_PORT),
      health: await proxyOf(NO_PORT),
    }
    const dataDir = temporaryDirectory('millrace-outages-')
    stops.push(async () => removeTemporary(dataDir))
    const address = ({ port }: TcpProxy) => `127.0.0.1:${port}`
    const stack = keep(
      await startStack({
        say,
        dataDir,
        ports: 'free',
        env: {
          DATABASE_URL: proxies.postgres.through(postgres.url),
          ...stream.env,
          CACHE_REDIS_URL: proxies.cacheRedis.through(cacheRedis.url),
          KEY_CACHE_MS: String(KEY_CACHE_MS),
          LEASE_MS: String(LEASE_MS),
          SYNTHETIC_INTERVAL_SECONDS: '0',
          WAIT_STORED_MS: String(WAIT_STORED_MS),
        },
        serviceEnv: {
          'ingest-gateway': {
            STREAM_CONSUMER_ADDRESS: address(proxies.consumer),
            ANALYTICS_QUERY_ADDRESS: address(proxies.analytics),
            HEALTH_AGGREGATOR_ADDRESS: address(proxies.health),
          },
        },
      }),
    )
    const server = (proxy: TcpProxy, { pause, resume }: Pick<typeof postgres, 'pause' | 'resume'>): Breakable => ({
      proxies: [proxy],
      freeze: pause,
      resume,
    })
    const peer = (proxy: TcpProxy, name: string): Breakable => {
      const service = stack.services.find(({ instance }) => instance.entry.name === name)
      if (service?.instance.grpcPort === undefined) throw new Error(`the stack has no service ${name} with a gRPC port`)
      proxy.target(service.instance.grpcPort)
      return server(proxy, service.server)
    }
    const breakables: Partial<Record<Dependency, Breakable>> = {
      PostgreSQL: server(proxies.postgres, postgres),
      [STREAM_SERVERS[kind]]: server(stream.proxy, stream.supervised.server),
      'cache Redis': server(proxies.cacheRedis, cacheRedis),
      'stream-consumer': peer(proxies.consumer, 'stream-consumer'),
      'analytics-query': peer(proxies.analytics, 'analytics-query'),
      'health-aggregator': peer(proxies.health, 'health-aggregator'),
    }
    const find = (dependency: Dependency): Breakable => {
      const breakable = breakables[dependency]
      if (breakable === undefined) throw new Error(`the stack does not use ${dependency}`)
      return breakable
    }
    return {
      stack,
      servers: ['PostgreSQL', STREAM_SERVERS[kind], 'cache Redis'],
      begin: (dependency, fault) => begin(find(dependency), fault),
      end: (dependency) => end(find(dependency)),
      settled: (receipt) => readOutcome(stack, receipt),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

interface ReceiptState {
  readonly state: string
  readonly accepted: number
  readonly stored: number
}

async function readOutcome({ url, adminKey }: Stack, receipt: string): Promise<string> {
  const headers = { authorization: `Bearer ${adminKey}` }
  let last = 'unknown'
  const isSettled = async () => {
    const { state, accepted, stored } = (await (
      await fetch(`${url}/v1/receipts/${receipt}?wait_ms=2000`, { headers })
    ).json()) as ReceiptState
    last =
      state === 'settled'
        ? stored === accepted
          ? 'stored'
          : `settled, but ${stored} of ${accepted} are stored`
        : state
    return state === 'settled'
  }
  await waitFor(isSettled, { deadlineMs: SETTLED_WITHIN_MS }).catch(() => undefined)
  return last
}

const MODES = {
  down: 'refuse',
  slow: 'slow',
  'requests lost': 'swallow-requests',
  'answers lost': 'swallow-answers',
} as const

async function begin({ proxies, freeze }: Breakable, fault: Fault): Promise<void> {
  if (fault === 'frozen') await freeze()
  else for (const proxy of proxies) await proxy.set(MODES[fault])
}

async function end({ proxies, resume }: Breakable): Promise<void> {
  await resume()
  for (const proxy of proxies) await proxy.set('pass')
}
