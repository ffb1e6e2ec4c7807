import { waitFor } from '@millrace/local-stack'
import type { ChaosRun } from './chaos-run.js'
import { readPartitions } from './partitions.js'

export interface FrozenReport {
  /** Partitions the frozen consumer owned, all taken over by the other one. */
  takenOver: number
}

/**
 * Freezes a consumer with SIGSTOP until its leases have run out and the other one has all partitions, lets that one store for a while,
 * and continues the frozen one, which still holds frames it read before.
 */
export async function runFrozenConsumer(run: ChaosRun): Promise<FrozenReport> {
  const consumers = run.stack.services.filter(({ instance }) => instance.entry.name === 'stream-consumer')
  const { server } = run.random.pick(consumers)
  return await run.underLoad(async (load) => {
    const before = await waitFor(() => sharedPartitions(run), {
      deadlineMs: 60_000,
      what: 'both consumers owning partitions',
    })
    await server.pause()
    const after = await waitFor(() => oneOwner(run), {
      deadlineMs: 120_000,
      intervalMs: 100,
      what: 'one consumer owning all partitions',
    })
    const takenOver = after.filter(
      ({ partition, owner }) => before.find((old) => old.partition === partition)?.owner !== owner,
    ).length
    await load.progress(50)
    await server.resume()
    await load.progress(50)
    await waitFor(() => sharedPartitions(run), {
      deadlineMs: 120_000,
      intervalMs: 100,
      what: 'both consumers owning partitions again',
    })
    run.say(`${server.name} was frozen; ${takenOver} partitions were taken over, and it came back`)
    return { takenOver }
  })
}

async function sharedPartitions(run: ChaosRun) {
  const partitions = await readPartitions(run.stack.databaseUrl)
  return (
    partitions.every(({ isLeaseLive }) => isLeaseLive) &&
    new Set(partitions.map(({ owner }) => owner)).size === 2 &&
    partitions
  )
}

async function oneOwner(run: ChaosRun) {
  const partitions = await readPartitions(run.stack.databaseUrl)
  return (
    partitions.every(({ isLeaseLive }) => isLeaseLive) &&
    new Set(partitions.map(({ owner }) => owner)).size === 1 &&
    partitions
  )
}
