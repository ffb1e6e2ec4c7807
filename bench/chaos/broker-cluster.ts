import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type KafkaCluster, type KafkaServer, waitFor } from '@millrace/local-stack'
import { type BrokerWatch, countMoves } from './broker-watch.js'
import type { ChaosRun, Provoked } from './chaos-run.js'

/** A run whose stack uses the brokers of a cluster. */
export interface ClusterRun {
  readonly run: ChaosRun
  readonly cluster: KafkaCluster
  readonly watch: BrokerWatch
}

/** What one scenario did to the brokers. A scenario without effect proves nothing. */
export interface BrokerReport {
  readonly name: string
  /** Partitions that got another leader, one number for each time that a broker was broken. */
  readonly leadersMoved: readonly number[]
  /** Batches that were acknowledged while brokers were broken: one number for each time, or for each third of an outage of all brokers. */
  readonly acknowledged: readonly number[]
}

type Effects = Omit<BrokerReport, 'name'>

export interface ClusterScenario {
  /** Completes "while …". */
  readonly name: string
  /** Whether `npm test` runs it as well. The others take a minute each, because all replicas have to be in sync between two faults. */
  readonly isShort: boolean
  run(cluster: ClusterRun): Promise<Effects>
}

export interface ClusterPlan {
  /** How many of the brokers are killed, frozen or restarted in turn. */
  brokersInTurn: number
  /** How often the active controller is killed. */
  controllerMoves: number
  allFrozenMs: number
}

const ALL_FROZEN = 'all brokers are frozen'

/** Every scenario, to be run one after another. */
export function clusterScenarios({ brokersInTurn, controllerMoves, allFrozenMs }: ClusterPlan): ClusterScenario[] {
  const inTurn = (breaking: Breaking) => (of: ClusterRun) =>
    breakInTurn(of, of.run.random.shuffle(of.cluster.nodes).slice(0, brokersInTurn), breaking)
  return [
    { name: 'brokers are killed in turn', isShort: true, run: inTurn(KILL) },
    { name: 'brokers are frozen in turn', isShort: false, run: inTurn(FREEZE) },
    { name: 'brokers are restarted in turn', isShort: false, run: inTurn(RESTART) },
    { name: 'the active controller is killed', isShort: true, run: (of) => moveController(of, controllerMoves) },
    { name: 'a broker is replaced by one with an empty disk', isShort: false, run: replaceBroker },
    { name: ALL_FROZEN, isShort: true, run: (of) => freezeAllBrokers(of, allFrozenMs) },
  ]
}

/** A way to break a broker, and how to repair it. */
interface Breaking {
  breakIt(node: KafkaServer, run: ChaosRun): Promise<void>
  repair(node: KafkaServer): Promise<void>
}

const KILL: Breaking = {
  breakIt: async (node, run) => {
    await node.kill('SIGKILL')
    run.kills++
  },
  repair: (node) => node.restart(),
}

/** The others take over when the broker's session at the controller has expired. Then it goes on with what it knew before. */
const FREEZE: Breaking = {
  breakIt: async (node, run) => {
    await node.pause()
    run.outages++
  },
  repair: (node) => node.resume(),
}

/** On SIGTERM a broker hands over its partitions before it ends. */
const RESTART: Breaking = {
  breakIt: async (node) => {
    await node.kill('SIGTERM')
    await node.exited
  },
  repair: (node) => node.restart(),
}

const LOSE_DISK: Breaking = {
  ...KILL,
  repair: async (node) => {
    rmSync(join(node.dir, 'data'), { recursive: true })
    await node.restart()
  },
}

/** Under load, breaks nodes one after another, each when all replicas are in sync, and waits for other leaders and acknowledgements before each repair. */
async function breakInTurn(
  { run, watch }: ClusterRun,
  nodes: readonly KafkaServer[],
  { breakIt, repair }: Breaking,
): Promise<Effects> {
  const leadersMoved: number[] = []
  const acknowledged: number[] = []
  await watch.untilInSync()
  await watch.balanceLeaders()
  await run.underLoad(async (load) => {
    for (const node of nodes) {
      const [leaders, batches, startedAt] = [await watch.leaders(), load.acknowledged(), performance.now()]
      await breakIt(node, run)
      await watch.untilLeadsNothing(node)
      await load.progress(50)
      leadersMoved.push(countMoves(leaders, await watch.leaders()))
      acknowledged.push(load.acknowledged() - batches)
      const repairAt = performance.now()
      await repair(node)
      await watch.untilInSync()
      run.say(
        `${node.name} was broken for ${Math.round(repairAt - startedAt)} ms: ${leadersMoved.at(-1)} partitions got another leader, ${acknowledged.at(-1)} batches ` +
          `were acknowledged; all replicas were in sync ${Math.round(performance.now() - repairAt)} ms after the repair began`,
      )
    }
  })
  return { leadersMoved, acknowledged }
}

/**
 * Kills one broker and gives it an empty disk, while PostgreSQL is frozen, so that nothing leaves the stream. Then the other brokers are killed in turn,
 * and consumers read from the new replicas what those led.
 */
async function replaceBroker(of: ClusterRun): Promise<Effects> {
  const { postgres } = of.run.stack
  const [replaced, ...others] = of.run.random.shuffle(of.cluster.nodes)
  if (!postgres || !replaced) throw new Error('a broker is replaced while PostgreSQL of the same run is frozen')
  await postgres.server.pause()
  try {
    const first = await breakInTurn(of, [replaced], LOSE_DISK)
    const then = await breakInTurn(of, others, KILL)
    return {
      leadersMoved: [...first.leadersMoved, ...then.leadersMoved],
      acknowledged: [...first.acknowledged, ...then.acknowledged],
    }
  } finally {
    await postgres.server.resume()
  }
}

async function moveController({ run, cluster, watch }: ClusterRun, times: number): Promise<Effects> {
  const leadersMoved: number[] = []
  const acknowledged: number[] = []
  await watch.balanceLeaders()
  await run.underLoad(async (load) => {
    for (let time = 0; time < times; time++) {
      const old = await cluster.controller()
      const [leaders, batches] = [await watch.leaders(), load.acknowledged()]
      await KILL.breakIt(old, run)
      const next = await waitFor(() => anotherController(cluster, old), {
        deadlineMs: 60_000,
        intervalMs: 100,
        what: 'another controller',
      })
      await watch.untilLeadsNothing(old)
      await load.progress(50)
      leadersMoved.push(countMoves(leaders, await watch.leaders()))
      acknowledged.push(load.acknowledged() - batches)
      await KILL.repair(old)
      await watch.untilInSync()
      run.say(`the controller moved from ${old.name} to ${next.name}`)
    }
  })
  return { leadersMoved, acknowledged }
}

async function anotherController(cluster: KafkaCluster, old: KafkaServer): Promise<KafkaServer | undefined> {
  const now = await cluster.controller().catch(() => undefined)
  return now === old ? undefined : now
}

/** The gateway has to acknowledge events into its spool. */
async function freezeAllBrokers({ run, cluster, watch }: ClusterRun, lastsMs: number): Promise<Effects> {
  const acknowledged: number[] = []
  const leaders = await watch.leaders()
  await run.underLoad(async (load) => {
    run.outages++
    for (const node of cluster.nodes) await node.pause()
    for (let third = 0; third < 3; third++) {
      const batches = load.acknowledged()
      await delay(lastsMs / 3)
      await load.progress(1)
      acknowledged.push(load.acknowledged() - batches)
    }
    for (const node of cluster.nodes) await node.resume()
    await load.progress(50)
    await watch.untilInSync()
    run.say(`all brokers were frozen for ${lastsMs / 1000} s; acknowledged batches: ${acknowledged.join(', ')}`)
  })
  return { leadersMoved: [countMoves(leaders, await watch.leaders())], acknowledged }
}

/** Why runs on a cluster prove nothing, or undefined when they do. */
export function whyClusterInconclusive(reports: readonly BrokerReport[], provoked: Provoked): string | undefined {
  for (const { name, leadersMoved, acknowledged } of reports) {
    if (name !== ALL_FROZEN && leadersMoved.some((count) => count === 0))
      return `no partition got another leader once while ${name}`
    if (acknowledged.some((count) => count === 0)) return `nothing was acknowledged once while ${name}`
  }
  const { duplicates, framesReplayed, framesResent, framesSpooled } = provoked
  if (framesResent === 0) return 'the gateway had to send no frame again'
  if (duplicates + framesReplayed === 0) return 'nothing arrived twice'
  if (framesSpooled === 0) return 'no frame went to the spool'
  return undefined
}
