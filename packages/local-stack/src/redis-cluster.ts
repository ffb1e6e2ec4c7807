import { join, resolve } from 'node:path'
import { CLUSTER_BUS_OFFSET, freePort } from './ports.js'
import { type RedisServer, startRedis } from './redis.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { waitFor } from './wait.js'

/** Time for the servers to find each other. */
const SETTLE_MS_MAX = 60_000

export interface RedisClusterOptions {
  /** Default: a temporary directory, removed by `stop`. */
  dir?: string | undefined
  /** Default 3, the fewest that elect. */
  masters?: number | undefined
  /** For each master. Default 0: a killed master's slots are down until it is restarted. */
  replicasPerMaster?: number | undefined
  /** Silence after which a node counts as failing, in milliseconds. Default 1,000. */
  nodeTimeoutMs?: number | undefined
  /** Directives of redis.conf for every node. */
  settings?: Record<string, string> | undefined
}

/** A Redis Cluster with its 16,384 slots spread evenly over the masters. */
export interface RedisClusterStack {
  /** First the masters, then the replicas. Each can be killed, paused and restarted. */
  readonly nodes: readonly RedisServer[]
  /** The master that serves this key's slot at present. */
  masterOf(key: string): Promise<RedisServer>
  stop(): Promise<void>
}

const SLOTS = 16_384

/** Starts a Redis Cluster on 127.0.0.1 and waits until every node reports it as ok. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisClusterStack> {
  const { masters = 3, replicasPerMaster = 0, nodeTimeoutMs = 1000 } = options
  const base = options.dir === undefined ? temporaryDirectory('millrace-cluster-') : undefined
  const dir = resolve(options.dir ?? `${base}`)
  const nodes: RedisServer[] = []
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()))
    if (base) removeTemporary(base)
  }
  try {
    for (let index = 0; index < masters * (1 + replicasPerMaster); index++) {
      const settings = {
        'cluster-enabled': 'yes',
        'cluster-config-file': 'nodes.conf',
        'cluster-node-timeout': String(nodeTimeoutMs),
        'repl-diskless-sync-delay': '0',
        ...options.settings,
      }
      nodes.push(
        await startRedis({
          name: `Redis Cluster node ${index}`,
          dir: join(dir, `node-${index}`),
          port: await freePort(CLUSTER_BUS_OFFSET),
          settings,
        }),
      )
    }
    await form(nodes, masters)
    return { nodes, stop, masterOf: (key) => findMaster(nodes, key) }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Gives out the slots, introduces the nodes to each other and makes the later ones replicas. */
async function form(nodes: RedisServer[], masters: number): Promise<void> {
  const [first, ...others] = nodes
  if (!first) throw new Error('a Redis Cluster needs at least one master')
  for (const [index, node] of nodes.entries()) {
    // Distinct epochs, as redis-cli gives them, spare the nodes the settling of a conflict.
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    if (index >= masters) continue
    const from = Math.floor((SLOTS * index) / masters)
    const to = Math.floor((SLOTS * (index + 1)) / masters)
    await node.command('CLUSTER', 'ADDSLOTS', ...Array.from({ length: to - from }, (_, offset) => from + offset))
  }
  for (const node of others) await node.command('CLUSTER', 'MEET', '127.0.0.1', first.port)
  await waitFor(async () => (await Promise.all(nodes.map((node) => knows(node, nodes.length)))).every(Boolean), {
    deadlineMs: SETTLE_MS_MAX,
    what: 'the meeting of the cluster nodes',
  })
  for (const [index, node] of nodes.slice(masters).entries()) {
    const id = await nodes[index % masters]?.command('CLUSTER', 'MYID')
    await node.command('CLUSTER', 'REPLICATE', String(id))
  }
  await waitFor(async () => (await Promise.all(nodes.map(isOk))).every(Boolean), {
    deadlineMs: SETTLE_MS_MAX,
    what: 'the cluster state "ok"',
  })
}

async function knows(node: RedisServer, count: number): Promise<boolean> {
  const lines = String(await node.command('CLUSTER', 'NODES'))
    .trim()
    .split('\n')
  return lines.length === count && lines.every((line) => !/handshake|noaddr|fail/.test(line))
}

async function isOk(node: RedisServer): Promise<boolean> {
  if (!String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok')) return false
  const role = (await node.command('ROLE')) as string[]
  return role[0] === 'master' || role[3] === 'connected'
}

/** Asks the nodes in turn, since any may be dead or paused. */
async function findMaster(nodes: RedisServer[], key: string): Promise<RedisServer> {
  for (const node of nodes) {
    const ranges = (await node.command('CLUSTER', 'SLOTS').catch(() => [])) as [number, number, [string, number]][]
    const slot = Number(await node.command('CLUSTER', 'KEYSLOT', key).catch(() => -1))
    const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1]
    const master = nodes.find((candidate) => candidate.port === port)
    if (master) return master
  }
  throw new Error(`no node of the Redis Cluster names a master for the key ${key}`)
}
