import { slownessFactor } from '@millrace/local-stack'
import { waitFor } from '@millrace/testing'
import type { StreamKind } from '../lib/stream-kind.js'
import type { OutageStack } from './outage-stack.js'
import {
  BACK_WITHIN_S,
  DEPENDENCIES,
  type Dependency,
  type Expectation,
  expected,
  FAULTS,
  type Fault,
  ROUTES,
  type Route,
  STREAM_SERVERS,
  usual,
} from './outage-table.js'
import { RouteProbe, type Seen } from './probe-routes.js'

/** One fault of one dependency, or of several that change different routes. */
export interface Cell {
  readonly dependencies: readonly Dependency[]
  readonly fault: Fault
}

/** Added to each bound, times the load of the machine: a route that waits for the wrong limit takes 20 s or more longer. */
const SLACK_S = 10
const slackS = () => SLACK_S * slownessFactor()
/** Results of health checks are reused for 2 s (HEALTH_CACHE_MS), of readiness for 1 s. */
const REUSED_MS = 2_500
/** Five processes start at once, on a busy machine. */
const RESTART_S = 90
/** The answer cache keeps the state of a query with an open range for 1 s. */
const SETTLE_MS = 1_200

/** Every fault of every dependency of a stack with this kind of stream. */
export function allCells(kind: StreamKind): Cell[] {
  return DEPENDENCIES.filter((dependency) => !isOtherStream(dependency, kind)).flatMap((dependency) =>
    FAULTS.map((fault) => ({ dependencies: [dependency], fault })),
  )
}

function isOtherStream(dependency: Dependency, kind: StreamKind): boolean {
  return dependency !== STREAM_SERVERS[kind] && Object.values<Dependency>(STREAM_SERVERS).includes(dependency)
}

const PEERS: readonly Dependency[] = ['stream-consumer', 'analytics-query', 'health-aggregator']

/** The cells of a normal test run: the faults that differ most, and dependencies that change different routes together. */
export function shortCells(): Cell[] {
  const cells = (dependencies: readonly Dependency[], ...faults: readonly Fault[]) =>
    faults.map((fault) => ({ dependencies, fault }))
  return [
    ...cells(['PostgreSQL'], 'down', 'frozen', 'slow', 'answers lost'),
    ...cells(['stream Redis', 'cache Redis'], 'frozen', 'answers lost'),
    ...cells(PEERS, 'down', 'frozen', 'requests lost'),
  ]
}

/** Runs cells on one stack. */
export class OutageRun {
  readonly #outages: OutageStack
  readonly #say: (line: string) => void
  readonly #probe: RouteProbe

  constructor(outages: OutageStack, say: (line: string) => void) {
    this.#outages = outages
    this.#say = say
    this.#probe = new RouteProbe(outages.stack)
  }

  /** Waits until every route works, and warms the caches. */
  async warmUp(): Promise<void> {
    const accepted = await waitFor(async () => (await this.#probe.ask('ingest with wait=stored')).receipt, {
      deadlineMs: 60_000,
    })
    this.#probe.receipt = accepted
    await this.#untilUsual(60)
  }

  /**
   * Breaks, asks every route once or twice, repairs, waits until every route works, and looks for every event that was accepted meanwhile. Returns what was not
   * as the table says, one line each.
   */
  async run({ dependencies, fault }: Cell): Promise<string[]> {
    const startedAt = performance.now()
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    for (const dependency of dependencies) await this.#outages.begin(dependency, fault)
    const receipts: string[] = []
    const faults: string[] = []
    // The second round meets dependencies that are known to be out. A slow one never is.
    const rounds = fault === 'slow' ? 1 : 2
    for (let round = 0; round < rounds; round++) {
      const routes = ROUTES.filter((route) => expected(route, dependencies, fault).outcomes.length > 0)
      for (const [route, seen] of await this.#ask(routes)) {
        if (seen.receipt !== undefined) receipts.push(seen.receipt)
        const wrong = await this.#judge(route, seen, expected(route, dependencies, fault))
        if (wrong !== undefined) faults.push(`${route}: ${wrong}`)
      }
    }
    for (const dependency of dependencies) await this.#outages.end(dependency)
    faults.push(...(await this.#untilUsual(BACK_WITHIN_S + slackS())))
    faults.push(...(await this.#findLoss(receipts)))
    const took = ((performance.now() - startedAt) / 1000).toFixed(1)
    this.#say(
      `${dependencies.join(', ')} ${fault}: ${faults.length === 0 ? 'as expected' : faults.join('; ')} (${took} s)`,
    )
    return faults
  }

  /**
   * Asks every service to end while a server is frozen, and lets the supervisor start it again. Returns what was not in order: every service must end by
   * itself, and work again once the server goes on, which it does after `until`.
   */
  async restart(dependency: Dependency, until?: () => Promise<unknown>): Promise<string[]> {
    const { services } = this.#outages.stack
    await this.#outages.begin(dependency, 'frozen')
    const ends = services.map(async ({ server, instance }) => {
      const { exited } = server
      await server.kill('SIGTERM')
      const { code, signal } = await exited
      return code === 0
        ? []
        : [`${instance.name} ends with ${signal ?? `exit code ${code}`} while ${dependency} is frozen`]
    })
    const faults = (await Promise.all(ends)).flat()
    await until?.()
    await this.#outages.end(dependency)
    faults.push(...(await this.#untilUsual(RESTART_S)))
    this.#say(`SIGTERM while ${dependency} is frozen: ${faults.length === 0 ? 'as expected' : faults.join('; ')}`)
    return faults
  }

  /** Routes whose result is reused for a second or two are asked again while they answer as before the fault. */
  async #judge(route: Route, seen: Seen, expectation: Expectation): Promise<string | undefined> {
    let wrong = describeFault(seen, expectation)
    if (!/^(\/ready|health)/.test(route)) return wrong
    const deadline = performance.now() + REUSED_MS + slackS() * 1000
    while (wrong !== undefined && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, REUSED_MS / 5))
      wrong = describeFault(await this.#probe.ask(route), expectation)
    }
    return wrong
  }

  #ask(routes: readonly Route[]): Promise<(readonly [Route, Seen])[]> {
    return Promise.all(routes.map(async (route) => [route, await this.#probe.ask(route)] as const))
  }

  /** The routes that do not work as always within the time. */
  async #untilUsual(deadlineS: number): Promise<string[]> {
    const deadline = performance.now() + deadlineS * 1000
    for (;;) {
      const late = (await this.#ask(ROUTES)).flatMap(([route, seen]) => {
        const wrong = describeFault(seen, usual(route))
        return wrong === undefined ? [] : [`${route} does not recover: ${wrong}`]
      })
      if (late.length === 0 || performance.now() > deadline) return late
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }

  /** Every accepted event must be stored, once. */
  async #findLoss(receipts: readonly string[]): Promise<string[]> {
    const lost: string[] = []
    for (const receipt of receipts) {
      const state = await this.#outages.settled(receipt)
      if (state !== 'stored') lost.push(`an accepted event is ${state}`)
    }
    return lost
  }
}

function describeFault(seen: Seen, { outcomes, withinS }: Expectation): string | undefined {
  const took = (seen.tookMs / 1000).toFixed(1)
  const what = `${seen.outcome} ${seen.code ?? ''} ${seen.detail ?? ''}`.trim()
  if (!outcomes.includes(seen.outcome)) return `${what} after ${took} s instead of ${outcomes.join(' or ')}`
  if (seen.tookMs > (withinS + slackS()) * 1000) return `${what} only after ${took} s instead of ${withinS} s`
  if (seen.outcome === '503' && seen.needsRetryAfter && !seen.saysWhenToRetry) return `${what} without Retry-After`
  return undefined
}
