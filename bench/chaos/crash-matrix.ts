import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '@millrace/local-stack'
import type { ChaosLoad } from './chaos-load.js'
import { type ChaosRun, whyInconclusive } from './chaos-run.js'
import { waitUntilStoring } from './partitions.js'

/** The processes to kill. `consumer` is one of the two consumers, chosen at random each time. */
export const VICTIMS = ['gateway', 'consumer', 'redis', 'postgres'] as const
export type Victim = (typeof VICTIMS)[number]

export interface CrashMatrixOptions {
  rounds: number
  victims?: readonly Victim[] | undefined
  /** Longest pause before a kill, in milliseconds; the pause is random. Default 1,200. */
  pauseMaxMs?: number | undefined
}

/**
 * Under load, kills each kind of process at random moments with SIGKILL, `rounds` times each, in random order. The supervisor restarts the process, and a
 * round ends when clients get acknowledgements again.
 */
export async function runCrashMatrix(run: ChaosRun, options: CrashMatrixOptions): Promise<void> {
  const { rounds, victims = VICTIMS, pauseMaxMs = 1200 } = options
  const order = run.random.shuffle(victims.flatMap((victim) => new Array<Victim>(rounds).fill(victim)))
  await run.underLoad(async (load) => {
    for (const [index, victim] of order.entries()) {
      // Half of the kills hit a stack that stores events again, the others one that may still be recovering from the last kill.
      if (run.random.next() < 0.5) await waitUntilStoring(run.stack.databaseUrl)
      await delay(run.random.between(50, pauseMaxMs))
      await killOnce(run, victim, load, index + 1)
    }
  })
}

/** Since moments are random, adds a few kills when none has made an event arrive twice. */
export async function runUntilConclusive(run: ChaosRun): Promise<void> {
  for (let more = 0; more < 5 && whyInconclusive((await run.verify()).provoked) !== undefined; more++)
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
    `round ${round}: killed ${server.name} (process ${pid}); acknowledgements came again after ${Math.round(performance.now() - killedAt)} ms`,
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
  if (!found) throw new Error(`${victim} cannot be killed: the environment names a server that this run did not start`)
  return found
}
