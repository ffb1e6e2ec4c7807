import { renameSync } from 'node:fs'
import {
  removeTemporary,
  type Stack,
  type StackOptions,
  type Supervised,
  startStack,
  temporaryDirectory,
} from '@millrace/local-stack'
import type { TcpProxy } from '@millrace/testing'
import { startProxiedStream } from '../lib/proxied-stream.js'
import type { StreamKind } from '../lib/stream-kind.js'
import { ChaosRun, type Verdict } from './chaos-run.js'

export interface ChaosSettings {
  kind: StreamKind
  seed: number
  /** Keep data and logs also of a run without faults. */
  isKept: boolean
  say: (line: string) => void
}

/** What a whole run found: faults, one line each, and figures by name. */
export class ChaosResult {
  readonly faults: string[] = []
  readonly findings: Record<string, unknown> = {}
  readonly #settings: ChaosSettings

  constructor(settings: ChaosSettings) {
    this.#settings = settings
  }

  /** Notes a fault unless the condition holds. */
  demand(isTrue: boolean, fault: string): void {
    if (!isTrue) this.faults.push(fault)
  }

  /** Runs scenarios on a new stack with the stream of this run, as `onStackWith` does. */
  async onStack(
    name: string,
    options: Partial<StackOptions>,
    scenarios: (run: ChaosRun) => Promise<unknown>,
  ): Promise<Verdict | undefined> {
    if (this.#settings.kind === 'redis') return await this.onStackWith(name, options, scenarios)
    return await this.onProxiedStack(name, options, scenarios)
  }

  /** The same with a proxy between the services and the server of the stream. */
  async onProxiedStack(
    name: string,
    options: Partial<StackOptions>,
    scenarios: (run: ChaosRun, proxy: TcpProxy) => Promise<unknown>,
  ): Promise<Verdict | undefined> {
    const { kind, say } = this.#settings
    const { supervised, proxy, env, stop } = await startProxiedStream(kind, say)
    try {
      const all = { ...options, env: { ...options.env, ...env }, stream: supervised }
      return await this.onStackWith(name, all, (run) => scenarios(run, proxy))
    } finally {
      await stop()
    }
  }

  /**
   * Runs scenarios on a new stack, checks everything that was sent, and adds the findings. Undefined when a scenario failed. `stream`: the server of the
   * stream, when the options name one that is not part of the stack.
   */
  async onStackWith(
    name: string,
    { stream, ...options }: Partial<StackOptions> & { stream?: Supervised },
    scenarios: (run: ChaosRun) => Promise<unknown>,
  ): Promise<Verdict | undefined> {
    const { seed, say, isKept } = this.#settings
    const dataDir = temporaryDirectory('millrace-chaos-')
    let stack: Stack | undefined
    try {
      stack = await startStack({ dataDir, ports: 'free', say, walSegments: 0, ...options })
      const run = new ChaosRun({ stack, stream, seed, say })
      await scenarios(run)
      const verdict = await run.verify()
      const { provoked, statuses, ledger, events, faults } = verdict
      this.findings[name] = { provoked, statuses, ledger, events }
      this.faults.push(...faults.map((fault) => `${name}: ${fault}`))
      say(`${name}: provoked ${JSON.stringify(provoked)}`)
      say(`${name}: ledger ${JSON.stringify(ledger)}`)
      say(
        `${name}: ${faults.length === 0 ? 'every acknowledged event is stored once and in order' : faults.join('; ')}`,
      )
      return verdict
    } catch (error) {
      this.faults.push(`${name}: ${(error as Error).message}`)
      return undefined
    } finally {
      await stack?.stop()
      if (this.faults.length === 0 && !isKept) removeTemporary(dataDir)
      else say(`data and logs are kept in ${keepAside(dataDir)}`)
    }
  }
}

/** Renames the data directory, since the next start removes temporary directories of processes that are gone. */
function keepAside(dataDir: string): string {
  const kept = `${dataDir}-kept`
  renameSync(dataDir, kept)
  return kept
}
