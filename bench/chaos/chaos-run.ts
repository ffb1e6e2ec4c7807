import { setTimeout as delay } from 'node:timers/promises'
import type { Stack, Supervised } from '@millrace/local-stack'
import { findLedgerFault, type LedgerEntry, waitUntilSettled } from '@millrace/testing'
import { createRandom, type Random } from '../lib/random.js'
import { type ChaosLoad, type ChaosLoadShape, type ChaosReport, startChaosLoad } from './chaos-load.js'
import { checkEvents, describeFaults, type EventFindings, type SentLoad } from './check-events.js'
import { addPoisonConstraint, findOddFault, startOddLoad } from './odd-events.js'
import { countTakeovers } from './partitions.js'
import { ServiceCounters, type ServiceCounts } from './service-counters.js'

/** A check fails when nothing more is stored for this long. */
const STUCK_MS = 120_000

export interface ChaosRunOptions {
  stack: Stack
  /** The server of the stream, when the stack uses one that it did not start. */
  stream?: Supervised | undefined
  /** Determines moments, victims and message ids. It is printed, so that a run can be repeated. */
  seed: number
  say: (line: string) => void
  /** The load of every scenario, where a scenario needs no load of its own. */
  load?: ChaosLoadShape | undefined
}

/** What happened to the stack. A run in which too little happened proves nothing. */
export interface Provoked extends ServiceCounts {
  kills: number
  outages: number
  clientRetries: number
  /** Events of ours that arrived twice and were stored once. */
  duplicates: number
  /** Events that the gateway rejected, and events that PostgreSQL refused. */
  rejected: number
  deadLettered: number
  /** Times a partition changed its owner. */
  takeovers: number
}

export interface Verdict {
  ledger: LedgerEntry
  events: EventFindings
  provoked: Provoked
  statuses: Record<string, number>
  /** One line each; empty when every promise was kept. */
  faults: string[]
}

/** The state that the scenarios on one stack share: what all loads sent, and what happened to the stack. */
export class ChaosRun {
  readonly stack: Stack
  private readonly givenStream: Supervised | undefined
  readonly random: Random
  readonly say: (line: string) => void
  readonly gatewayUrls: string[]
  kills = 0
  outages = 0
  private readonly load: ChaosLoadShape
  private readonly loads: SentLoad[] = []
  private readonly statuses: Record<string, number> = {}
  private retries = 0
  private readonly counters = new ServiceCounters()
  private acknowledged = 0
  private readonly odd = { good: [] as string[], poison: [] as string[] }
  private isPoisonRefused = false

  constructor({ stack, stream, seed, say, load = {} }: ChaosRunOptions) {
    this.stack = stack
    this.givenStream = stream
    this.random = createRandom(seed)
    this.say = say
    this.load = load
    this.gatewayUrls = stack.services.flatMap(({ instance }) =>
      instance.entry.name === 'ingest-gateway' ? [`http://127.0.0.1:${instance.httpPort}`] : [],
    )
  }

  /** The server of the stream: the broker, or the Redis for streams. @throws when this run did not start it */
  get stream(): Supervised {
    const server = this.givenStream ?? this.stack.streamRedis
    if (server) return server
    throw new Error('the server of the stream cannot be broken: the environment names one that this run did not start')
  }

  /** Runs `work` under load, and keeps what the load had acknowledged for the final check. */
  async underLoad<T>(work: (load: ChaosLoad) => Promise<T>, shape: ChaosLoadShape = {}): Promise<T> {
    const { writeKey, databaseUrl } = this.stack
    if (!this.isPoisonRefused) await addPoisonConstraint(databaseUrl)
    this.isPoisonRefused = true
    const common = { urls: this.gatewayUrls, writeKey, seed: this.random.between(1, 2 ** 32 - 1) }
    const load = startChaosLoad({ ...common, ...this.load, ...shape })
    const odd = startOddLoad(common)
    let result: T
    try {
      await load.progress(50)
      result = await work(load)
    } catch (error) {
      // What `work` broke may be broken still, and then nothing more is acknowledged.
      await Promise.allSettled([load.stop(0), odd.stop(0)])
      throw error
    }
    this.addSent(await load.stop())
    const { good, poison } = await odd.stop()
    this.odd.good.push(...good)
    this.odd.poison.push(...poison)
    this.acknowledged += good.length
    return result
  }

  /** Keeps what a load had acknowledged for the final check. */
  addSent(report: ChaosReport): void {
    this.loads.push(report.sent)
    this.retries += report.retries
    this.acknowledged += report.acknowledgedEvents
    for (const [status, count] of Object.entries(report.statuses))
      this.statuses[status] = (this.statuses[status] ?? 0) + count
  }

  /** Adds what a service has counted so far. Call it before the service is killed, which resets its counters. */
  async noteCounts({ server }: Stack['services'][number]): Promise<void> {
    await this.counters.note(server)
  }

  /**
   * Waits until nothing is in flight, then compares the ledger, the table and what was sent. Events that a scenario sends beside the loads count as stored too,
   * so the counts may agree while frames of a spool are still on their way: faults are looked for until there are none, for `patienceMs` at most (default
   * 60,000). A loss or a doubled event never goes away.
   */
  async verify({ patienceMs = 60_000 }: { patienceMs?: number } = {}): Promise<Verdict> {
    const until = performance.now() + patienceMs
    for (;;) {
      const verdict = await this.verifyOnce()
      if (verdict.faults.length === 0 || performance.now() >= until) return verdict
      this.say(`looking again, since ${verdict.faults.join('; ')}`)
      await delay(1_000)
    }
  }

  private async verifyOnce(): Promise<Verdict> {
    const source = { gatewayUrl: this.stack.url, readKey: this.stack.adminKey }
    const ledger = await waitUntilSettled(source, this.acknowledged, STUCK_MS)
    const events = await checkEvents(this.stack.databaseUrl, this.loads)
    for (const service of this.stack.services) await this.noteCounts(service)
    const { databaseUrl } = this.stack
    const faults = [
      await findLedgerFault(databaseUrl, ledger),
      await findOddFault(databaseUrl, this.odd, ledger),
      describeFaults(events),
    ].filter((fault) => fault !== undefined)
    const provoked: Provoked = {
      kills: this.kills,
      outages: this.outages,
      clientRetries: this.retries,
      duplicates: ledger.duplicate,
      rejected: ledger.rejected,
      deadLettered: ledger.dead_lettered,
      ...this.counters.sum(),
      takeovers: await countTakeovers(this.stack.databaseUrl),
    }
    return { ledger, events, provoked, statuses: this.statuses, faults }
  }
}

/** Why a run proves nothing, or undefined when it does: kills must have made clients repeat requests that had been accepted before. */
export function whyInconclusive(provoked: Provoked): string | undefined {
  const { kills, clientRetries, duplicates, framesReplayed, rejected, deadLettered } = provoked
  if (kills === 0) return 'nothing was killed'
  if (clientRetries === 0) return 'no client had to send anything again'
  if (duplicates + framesReplayed === 0) return 'nothing arrived twice'
  if (rejected === 0) return 'nothing was rejected'
  if (deadLettered === 0) return 'nothing became a dead letter'
  return undefined
}
