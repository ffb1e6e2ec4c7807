import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePort } from './ports.js'
import { type RedisServer, startRedis } from './redis.js'
import { redisCommand } from './resp.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { waitFor } from './wait.js'

/** Time for the servers to find each other. */
const SETTLE_MS_MAX = 60_000

export interface SentinelOptions {
  /** Default: a temporary directory, removed by `stop`. */
  dir?: string | undefined
  /** Default 2. */
  replicas?: number | undefined
  /** Default 3; a failover needs a majority of them. */
  sentinels?: number | undefined
  /** How long a primary may be silent before a sentinel holds it for down, in milliseconds. Default 1,000. */
  downAfterMs?: number | undefined
  /** Name the sentinels know the primary by. Default "millrace". */
  masterName?: string | undefined
  /** Directives of redis.conf for the primary and the replicas. */
  settings?: Record<string, string> | undefined
}

/** A primary with replicas, watched by sentinels. Which node is primary changes with failovers. */
export interface SentinelStack {
  readonly masterName: string
  /** The first was primary at the start. Each can be killed, paused and restarted. */
  readonly nodes: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** The node that a majority of the running sentinels holds for the primary. */
  primary(): Promise<RedisServer>
  stop(): Promise<void>
}

/**
 * Starts Redis with Sentinel on 127.0.0.1 and waits until the replicas are in sync and every sentinel knows all others.
 */
export async function startSentinel(options: SentinelOptions = {}): Promise<SentinelStack> {
  const { replicas = 2, sentinels: sentinelCount = 3, downAfterMs = 1000, masterName = 'millrace' } = options
  const base = options.dir === undefined ? temporaryDirectory('millrace-sentinel-') : undefined
  const dir = resolve(options.dir ?? `${base}`)
  const started: RedisServer[] = []
  const keep = (server: RedisServer) => {
    started.push(server)
    return server
  }
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()))
    if (base) removeTemporary(base)
  }
  try {
    const nodes: RedisServer[] = []
    for (let index = 0; index <= replicas; index++) nodes.push(keep(await startNode(index, nodes[0])))
    const sentinels = await Promise.all(
      Array.from({ length: sentinelCount }, async (_, index) => keep(await startOne(index, nodes[0]))),
    )
    await untilSettled(sentinels, masterName, replicas)
    return { masterName, nodes, sentinels, stop, primary: () => findPrimary(nodes, sentinels, masterName) }
  } catch (error) {
    await stop()
    throw error
  }

  function startNode(index: number, first: RedisServer | undefined): Promise<RedisServer> {
    const replication: Record<string, string> = first ? { replicaof: `127.0.0.1 ${first.port}` } : {}
    return startRedis({
      name: `Redis node ${index}`,
      dir: join(dir, `node-${index}`),
      settings: { 'repl-diskless-sync-delay': '0', ...options.settings, ...replication },
      keepsConfig: true,
    })
  }

  async function startOne(index: number, primary: RedisServer | undefined): Promise<RedisServer> {
    const port = await freePort()
    const home = join(dir, `sentinel-${index}`)
    mkdirSync(home, { recursive: true })
    const configFile = join(home, 'sentinel.conf')
    const quorum = Math.floor(sentinelCount / 2) + 1
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${home}`,
      `sentinel monitor ${masterName} 127.0.0.1 ${primary?.port} ${quorum}`,
      `sentinel down-after-milliseconds ${masterName} ${downAfterMs}`,
      `sentinel failover-timeout ${masterName} ${Math.max(3000, 3 * downAfterMs)}`,
      `sentinel parallel-syncs ${masterName} ${replicas}`,
    ]
    writeFileSync(configFile, `${lines.join('\n')}\n`)
    return await startRedis({ name: `Sentinel ${index}`, dir: home, port, sentinelConfig: configFile })
  }
}

async function untilSettled(sentinels: RedisServer[], masterName: string, replicas: number): Promise<void> {
  const isSettled = async (sentinel: RedisServer) => {
    const facts = (await sentinel.command('SENTINEL', 'MASTER', masterName)) as string[]
    const fact = (name: string) => Number(facts[facts.indexOf(name) + 1])
    return fact('num-slaves') === replicas && fact('num-other-sentinels') === sentinels.length - 1
  }
  await waitFor(async () => (await Promise.all(sentinels.map(isSettled))).every(Boolean), {
    deadlineMs: SETTLE_MS_MAX,
    what: 'agreement of the sentinels',
  })
  const ports = (await sentinels[0]?.command('SENTINEL', 'REPLICAS', masterName)) as string[][]
  const isLinked = async (facts: string[]) => {
    const role = (await redisCommand(Number(facts[facts.indexOf('port') + 1]), ['ROLE'])) as string[]
    return role[0] === 'slave' && role[3] === 'connected'
  }
  await waitFor(async () => (await Promise.all(ports.map(isLinked))).every(Boolean), {
    deadlineMs: SETTLE_MS_MAX,
    what: 'the first copy to the replicas',
  })
}

async function findPrimary(nodes: RedisServer[], sentinels: RedisServer[], masterName: string): Promise<RedisServer> {
  const votes = new Map<number, number>()
  for (const sentinel of sentinels) {
    const address = await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName).catch(() => undefined)
    const port = Array.isArray(address) ? Number(address[1]) : undefined
    if (port !== undefined) votes.set(port, (votes.get(port) ?? 0) + 1)
  }
  const [winner] = [...votes].sort((a, b) => b[1] - a[1])
  const node = nodes.find(({ port }) => port === winner?.[0])
  if (!node) throw new Error('no sentinel named a primary')
  return node
}
