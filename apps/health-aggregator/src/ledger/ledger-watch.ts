import type { Logger } from '@millrace/logger'
import { balanceTenants } from './balance.js'
import { type Checkpoint, type Deficit, findDeficits, isPassed } from './checkpoint.js'
import type { LedgerSnapshot, PartitionPosition } from './ledger-rows.js'

export interface LedgerWatchConfig {
  /** Records that are missing for this long count as lost, in ms. */
  readonly lostAfterMs: number
  /** After this time, in ms, a checkpoint is checked again: the stream may no longer reach the ends in it. */
  readonly checkpointMaxMs: number
}

export interface LedgerWatchDeps {
  readonly readLedger: () => Promise<LedgerSnapshot>
  /** Where each partition of the stream ends now. */
  readonly readEnds: () => Promise<readonly PartitionPosition[]>
  readonly comparePositions: (a: string, b: string) => number
  readonly now: () => number
  readonly logger: Logger
}

/** The ledger of all tenants together, for metrics and health. */
export interface LedgerState {
  readonly inFlight: number
  readonly lost: number
  readonly unbalancedTenants: number
  readonly deadLettered: number
  /** When a checkpoint was last passed; null before the first. */
  readonly verifiedAtMs: number | null
}

/**
 * Detects acknowledged records that are lost. Call `step` every few seconds. It throws when PostgreSQL or the stream cannot be reached; its earlier
 * findings then stay unchanged.
 */
export class LedgerWatch {
  readonly #config: LedgerWatchConfig
  readonly #deps: LedgerWatchDeps
  #checkpoint: Checkpoint | null = null
  /** The time at which a deficit was first seen, by producer and tenant. */
  #since = new Map<string, number>()
  #lost: ReadonlyMap<number, number> = new Map()
  #state: LedgerState = { inFlight: 0, lost: 0, unbalancedTenants: 0, deadLettered: 0, verifiedAtMs: null }

  constructor(config: LedgerWatchConfig, deps: LedgerWatchDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** Lost records by tenant. */
  get lost(): ReadonlyMap<number, number> {
    return this.#lost
  }

  get state(): LedgerState {
    return this.#state
  }

  async step(): Promise<void> {
    const { readLedger, comparePositions, now } = this.#deps
    const snapshot = await readLedger()
    if (this.#checkpoint !== null && isPassed(this.#checkpoint, snapshot.positions, comparePositions)) {
      this.#settle(findDeficits(this.#checkpoint, snapshot))
      this.#checkpoint = null
    } else if (this.#checkpoint !== null && now() - this.#checkpoint.takenAtMs > this.#config.checkpointMaxMs) {
      // As long as the stream still reaches these ends, the consumer will get there, however slow it is.
      if (!isPassed(this.#checkpoint, await this.#deps.readEnds(), comparePositions)) this.#checkpoint = null
    }
    this.#describe(snapshot)
    // The ends are read after the counts, so that all counted records lie before them.
    this.#checkpoint ??= { produced: snapshot.produced, ends: await this.#deps.readEnds(), takenAtMs: now() }
  }

  #settle(deficits: readonly Deficit[]): void {
    const nowMs = this.#deps.now()
    const since = new Map<string, number>()
    const lost = new Map<number, number>()
    for (const { producer, tenantId, records } of deficits) {
      const key = `${producer} ${tenantId}`
      const firstMs = this.#since.get(key) ?? nowMs
      since.set(key, firstMs)
      if (nowMs - firstMs >= this.#config.lostAfterMs) lost.set(tenantId, (lost.get(tenantId) ?? 0) + records)
    }
    this.#report(lost)
    this.#since = since
    this.#lost = lost
    this.#state = { ...this.#state, verifiedAtMs: nowMs }
  }

  /** Logs the transition, not the state. */
  #report(lost: ReadonlyMap<number, number>): void {
    const before = sum(this.#lost)
    const after = sum(lost)
    if (after > before) this.#deps.logger.error('acknowledged records are lost', { lost: after, before })
    else if (after < before)
      this.#deps.logger.info('records that were reported lost have turned up', { lost: after, before })
  }

  #describe(snapshot: LedgerSnapshot): void {
    const balances = balanceTenants(snapshot, this.#lost)
    this.#state = {
      ...this.#state,
      inFlight: balances.reduce((total, { inFlight }) => total + inFlight, 0),
      lost: sum(this.#lost),
      unbalancedTenants: balances.filter(({ isBalanced }) => !isBalanced).length,
      deadLettered: balances.reduce((total, { deadLettered }) => total + deadLettered, 0),
    }
  }
}

function sum(counts: ReadonlyMap<number, number>): number {
  let total = 0
  for (const count of counts.values()) total += count
  return total
}
