import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '@millrace/local-stack'
import type { ChaosLoad } from './chaos-load.js'
import { type ChaosRun, findQuiet } from './chaos-run.js'
import { waitUntilStoring } from './partitions.js'

/** What is killed: one of the two consumers, chosen anew each time. */
export const VICTIMS = ['gateway', 'consumer', 'redis', 'postgres'] as const
export type Victim = (typeof VICTIMS)[number]

export interface CrashMatrixOptions {
  rounds: number
  victims?: readonly Victim[] | undefined
  /** Longest pause before a kill, in milliseconds; the instant is random. Default 1,200. */
  pauseMaxMs?: number | undefined
}

/**
 * Under load, kills each kind of process at random instants with SIGKILL, `rounds` times each, in random order. The supervisor starts it
 * again; a round ends when the load moves on.
 */
export async function runCrashMatrix(run: ChaosRun, options: CrashMatrixOptions): Promise<void> {
  const { rounds, victims = VICTIMS, pauseMaxMs = 1200 } = options
  const order = run.random.shuffle(victims.flatMap((victim) => new Array<Victim>(rounds).fill(victim)))
  await run.underLoad(async (load) => {
    for (const [index, victim] of order.entries()) {
      // Half of the kills hit a stack that stores again, the others one that may still be recovering from the last.
      if (run.random.next() < 0.5) await waitUntilStoring(run.stack.databaseUrl)
      await delay(run.random.between(50, pauseMaxMs))
      await killOnce(run, victim, load, index + 1)
    }
  })
}

/** Instants are random: a few more kills when none of them happened to make anything arrive twice. */
export async function runUntilLoud(run: ChaosRun): Promise<void> {
  for (let more = 0; more < 5 && findQuiet((await run.verify()).provoked) !== undefined; more++)
    await runCrashMatrix(run, { rounds: 1, victims: ['gateway', 'redis'] })
}

async function killOnce(run: ChaosRun, victim: Victim, load: ChaosLoad, round: number): Promise<void> {
  const { server } = findVictim(run, victim)
  const consumer = run.stack.services.find((service) => service.server === server && victim === 'consumer')
  if (consumer) await run.noteReplays(consumer)
  const { pid } = server
  const killedAt = performance.now()
  await server.kill('SIGKILL')
  run.kills++
  await waitFor(() => server.pid !== pid, { deadlineMs: 60_000, what: `a new start of ${server.name}` })
  await load.progress(20)
  run.say(
    `round ${round}: killed ${server.name} (process ${pid}); the load moved on after ${Math.round(performance.now() - killedAt)} ms`,
  )
}

function findVictim(run: ChaosRun, victim: Victim) {
  const { services, streamRedis, postgres } = run.stack
  const ofKind = (name: string) => services.filter(({ instance }) => instance.entry.name === name)
  const found = {
    gateway: () => run.random.pick(ofKind('ingest-gateway')),
    consumer: () => run.random.pick(ofKind('stream-consumer')),
    redis: () => streamRedis,
    postgres: () => postgres,
  }[victim]()
  if (!found) throw new Error(`${victim} is not ours to kill: the environment names a server`)
  return found
}
