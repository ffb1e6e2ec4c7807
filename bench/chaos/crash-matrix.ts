import { setTimeout as delay } from 'node:timers/promises'
import { type Supervised, waitFor } from '@millrace/local-stack'
import type { ChaosLoad } from './chaos-load.js'
import { type ChaosRun, whyInconclusive } from './chaos-run.js'
import { waitUntilStoring } from './partitions.js'

/** The processes to kill. `consumer` is one of the two consumers, chosen at random each time; `stream` is the server of the stream: Redis, or the broker. */
export const VICTIMS = ['gateway', 'consumer', 'query', 'stream', 'postgres'] as const
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
    await runCrashMatrix(run, { rounds: 1, victims: ['gateway', 'stream'] })
}

async function killOnce(run: ChaosRun, victim: Victim, load: ChaosLoad, round: number): Promise<void> {
  const { server } = findVictim(run, victim)
  const service = run.stack.services.find((one) => one.server === server)
  if (service) await run.noteCounts(service)
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

function findVictim(run: ChaosRun, victim: Victim): Supervised {
  const { services, postgres } = run.stack
  const service = (name: string) => run.random.pick(services.filter(({ instance }) => instance.entry.name === name))
  switch (victim) {
    case 'gateway':
      return service('ingest-gateway')
    case 'consumer':
      return service('stream-consumer')
    case 'query':
      return service('analytics-query')
    case 'stream':
      return run.stream
    case 'postgres':
      if (postgres) return postgres
      throw new Error('PostgreSQL cannot be killed: the environment names one that this run did not start')
  }
}
