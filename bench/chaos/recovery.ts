import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Supervised, slownessFactor, waitFor } from '@millrace/local-stack'
import type { Random } from '../lib/random.js'
import { type ChaosReport, startChaosLoad } from './chaos-load.js'
import type { ChaosRun } from './chaos-run.js'

const PARTS = ['postgres', 'stream', 'cacheRedis', 'consumer', 'gateway'] as const
type Part = (typeof PARTS)[number]

/** One thing that happens to the stack. `fill` sends events as fast as possible until the gateway rejects some, or for a while. */
export type RecoveryStep =
  | { readonly what: 'freeze' | 'resume' | 'kill' | 'free'; readonly part: Part }
  | { readonly what: 'fill' }
  | { readonly what: 'wait'; readonly ms: number }

/** The example that no sequence may lose: everything in a full stream is younger than the time for which frames are kept for a failover. */
export const FILLED_WHILE_FROZEN: readonly RecoveryStep[] = [
  { what: 'freeze', part: 'postgres' },
  { what: 'fill' },
  { what: 'resume', part: 'postgres' },
]

const STEPS_MAX = 6
const STORED_WITHIN_MS = 10_000
/** A fill ends after this time even when nothing was rejected: as long as everything works, the stream does not get full. */
const FILL_MS_MAX = 3_000
/** The same while nothing can be stored, so that events are rejected sooner or later. */
const FULL_WITHIN_MS = 60_000

/** A random sequence of faults in which every step can happen. Parts that are still broken at its end are repaired by `runRecovery`. */
export function planRecovery(random: Random): RecoveryStep[] {
  const broken = new Map<Part, 'frozen' | 'killed'>()
  const steps: RecoveryStep[] = []
  for (let count = random.between(2, STEPS_MAX); steps.length < count; ) {
    const part = random.pick(PARTS)
    const state = broken.get(part)
    const choice = random.next()
    if (state === 'frozen') {
      steps.push({ what: 'resume', part })
      broken.delete(part)
    } else if (state === 'killed') {
      // A service is ready only when its servers answer.
      if (isService(part) && (broken.has('postgres') || broken.has('stream') || broken.has('cacheRedis'))) continue
      steps.push({ what: 'free', part })
      broken.delete(part)
    } else if (choice < 0.25) steps.push({ what: 'fill' })
    else if (choice < 0.35) steps.push({ what: 'wait', ms: random.between(100, 3_000) })
    else {
      const isFrozen = choice < 0.75
      steps.push({ what: isFrozen ? 'freeze' : 'kill', part })
      broken.set(part, isFrozen ? 'frozen' : 'killed')
    }
  }
  return steps
}

/** A sequence in one line, for example "freeze postgres, fill, resume postgres". */
export function describeSteps(steps: readonly RecoveryStep[]): string {
  return steps
    .map((step) =>
      step.what === 'fill' ? 'fill' : step.what === 'wait' ? `wait ${step.ms} ms` : `${step.what} ${step.part}`,
    )
    .join(', ')
}

export interface RecoveryReport {
  /** From the last repair until a new event was stored. */
  readonly storedAfterMs: number
  /** Fills that ended because the gateway rejected an event. */
  readonly rejectedFills: number
}

interface Fill {
  readonly isRejected: boolean
  /** Resolves when everything that was sent is acknowledged. */
  readonly report: Promise<ChaosReport>
}

/**
 * Runs a sequence of faults under load, repairs what is still broken, and waits until a new event is stored.
 * @throws when that takes longer than 10 s, scaled by the load of the machine
 */
export async function runRecovery(run: ChaosRun, steps: readonly RecoveryStep[]): Promise<RecoveryReport> {
  const broken = new Map<Part, 'frozen' | 'killed'>()
  const fills: Fill[] = []
  let storedAfterMs = 0
  run.outages++
  await run.underLoad(
    async () => {
      try {
        for (const step of steps) {
          if (step.what === 'wait') await delay(step.ms)
          else if (step.what === 'fill') fills.push(await fill(run, cannotStore(broken) ? FULL_WITHIN_MS : FILL_MS_MAX))
          else await apply(run, step, broken)
        }
      } finally {
        for (const part of PARTS) await repair(run, part, broken)
      }
      const repairedAt = performance.now()
      await waitFor(() => isNewEventStored(run), {
        deadlineMs: STORED_WITHIN_MS * slownessFactor(),
        intervalMs: 100,
        what: `a new event that is stored, after: ${describeSteps(steps)}`,
      })
      storedAfterMs = Math.round(performance.now() - repairedAt)
      for (const { report } of fills) run.addSent(await report)
    },
    { connections: 4 },
  )
  const rejectedFills = fills.filter(({ isRejected }) => isRejected).length
  run.say(`${describeSteps(steps)}: a new event was stored ${storedAfterMs} ms after the last repair`)
  return { storedAfterMs, rejectedFills }
}

async function apply(
  run: ChaosRun,
  { what, part }: Extract<RecoveryStep, { part: Part }>,
  broken: Map<Part, 'frozen' | 'killed'>,
): Promise<void> {
  if (what === 'resume' || what === 'free') return await repair(run, part, broken)
  const supervised = find(run, part)
  if (what === 'freeze') await supervised.server.pause()
  else await supervised.takeDown('SIGKILL')
  broken.set(part, what === 'freeze' ? 'frozen' : 'killed')
}

async function repair(run: ChaosRun, part: Part, broken: Map<Part, 'frozen' | 'killed'>): Promise<void> {
  const state = broken.get(part)
  if (state === 'frozen') await find(run, part).server.resume()
  if (state === 'killed') await find(run, part).bringUp()
  broken.delete(part)
}

/** Whether everything that the gateway accepts has to stay in the stream or the spool. */
function cannotStore(broken: Map<Part, unknown>): boolean {
  return (broken.has('postgres') || broken.has('stream')) && !broken.has('gateway')
}

/** Sends large batches until the gateway rejects an event or the time is over. Clients send what is under way again until it is acknowledged. */
async function fill({ gatewayUrls: urls, stack, random }: ChaosRun, withinMs: number): Promise<Fill> {
  const { writeKey } = stack
  const load = startChaosLoad({ urls, writeKey, seed: random.between(1, 2 ** 32 - 1), batchEvents: 200, thinkMs: 0 })
  const until = performance.now() + withinMs
  let isRejected = false
  while (!isRejected && performance.now() < until) {
    await delay(50)
    isRejected = await sendOne(stack, '/v1/events').then(
      ({ status }) => status === 429 || status === 503,
      () => false,
    )
  }
  const report = load.stop()
  report.catch(() => undefined)
  return { isRejected, report }
}

/** Whether the gateway answers that an event sent now is stored. */
async function isNewEventStored({ stack }: ChaosRun): Promise<boolean> {
  const { status, body } = await sendOne(stack, '/v1/events?wait=stored')
  return status === 200 && body.outcome?.stored === 1
}

async function sendOne(
  { url, writeKey }: ChaosRun['stack'],
  path: string,
): Promise<{ status: number; body: { outcome?: { stored?: number } } }> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${writeKey}`, 'content-type': 'application/json' },
    body: JSON.stringify([{ type: 'track', event: 'Recovered', userId: 'recovery', messageId: randomUUID() }]),
    signal: AbortSignal.timeout(5_000),
  })
  return { status: response.status, body: (await response.json()) as { outcome?: { stored?: number } } }
}

function find(run: ChaosRun, part: Part): Supervised {
  const { stack } = run
  const service = (name: string) => stack.services.find(({ instance }) => instance.entry.name === name)
  const found = {
    postgres: () => stack.postgres,
    stream: () => run.stream,
    cacheRedis: () => stack.cacheRedis,
    consumer: () => service('stream-consumer'),
    gateway: () => service('ingest-gateway'),
  }[part]()
  if (found === undefined) throw new Error(`the environment names a ${part} that this run did not start`)
  return found
}

function isService(part: Part): boolean {
  return part === 'consumer' || part === 'gateway'
}
