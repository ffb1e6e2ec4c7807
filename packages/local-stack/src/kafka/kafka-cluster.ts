import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePort } from '../ports.js'
import { removeTemporary, temporaryDirectory } from '../temporary.js'
import { findController } from './find-controller.js'
import { applyDenials, createClusterId, type KafkaOptions, type KafkaServer, startKafka } from './kafka.js'

export interface KafkaClusterOptions extends Omit<KafkaOptions, 'cluster' | 'logFile' | 'name' | 'port'> {
  /** Default 3, the fewest that go on when one is gone. */
  nodes?: number | undefined
}

/** Kafka brokers on 127.0.0.1 of which each is also a controller. */
export interface KafkaCluster {
  /** Each can be killed, paused and restarted. A node is ready only while more than half of the nodes run, so restart several at the same time. */
  readonly nodes: readonly KafkaServer[]
  /** For KAFKA_BROKERS: all nodes. */
  readonly brokers: string
  /** The node that is the active controller at present. @throws when none is known */
  controller(): Promise<KafkaServer>
  stop(): Promise<void>
}

/** Starts a cluster and waits until every node is ready. The ids of its nodes count from 1. */
export async function startKafkaCluster(options: KafkaClusterOptions = {}): Promise<KafkaCluster> {
  const { nodes: count = 3, security } = options
  const base = options.dir === undefined ? temporaryDirectory('millrace-kafka-cluster-') : undefined
  const dir = resolve(options.dir ?? `${base}`)
  const ids = Array.from({ length: count }, (_, index) => index + 1)
  const voters: Record<number, number> = {}
  for (const id of ids) voters[id] = await freePort()
  const clusterId = clusterIdOf(dir)
  const start = (nodeId: number) =>
    startKafka({
      ...options,
      name: `Kafka node ${nodeId}`,
      dir: join(dir, `node-${nodeId}`),
      cluster: { nodeId, clusterId, voters },
    })
  const started = await Promise.allSettled(ids.map(start))
  const nodes = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()))
    if (base) removeTemporary(base)
  }
  try {
    for (const result of started) if (result.status === 'rejected') throw result.reason
    await applyDenials(nodes[0] as KafkaServer, security)
  } catch (error) {
    await stop()
    throw error
  }
  const brokers = nodes.map((node) => node.brokers).join(',')
  return { nodes, brokers, stop, controller: () => controllerOf(nodes) }
}

/** Kept, so that a start that was interrupted between two nodes is completed with the same id. */
function clusterIdOf(dir: string): string {
  const file = join(dir, 'cluster-id')
  if (existsSync(file)) return readFileSync(file, 'utf8')
  const id = createClusterId()
  mkdirSync(dir, { recursive: true })
  writeFileSync(file, id)
  return id
}

/** Asks the nodes in turn, since any may be dead or paused. */
async function controllerOf(nodes: readonly KafkaServer[]): Promise<KafkaServer> {
  for (const node of nodes) {
    const id = await findController(node.internalPort).catch(() => undefined)
    const found = nodes.find(({ nodeId }) => nodeId === id)
    if (found) return found
  }
  throw new Error('no node of the Kafka cluster names a controller')
}
