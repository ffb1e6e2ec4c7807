import type { Logger } from '@millrace/logger'
import { balanceTenants } from './balance.js'
import { type Checkpoint, type Deficit, findDeficits, isPassed } from './checkpoint.js'
import type { LedgerSnapshot, PartitionPosition } from './ledger-rows.js'

export interface LedgerWatchConfig {
  /** Records that stay missing so long count as lost. */
  readonly lostAfterMs: number
  /** A checkpoint that is not passed in this time is looked at again: the stream may have lost the end it names. */
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

/** How the ledger stands as a whole, for metrics and health. */
export interface LedgerState {
  readonly inFlight: number
  readonly lost: number
  readonly unbalancedTenants: number
  readonly deadLettered: number
  /** When a checkpoint was last passed; null before the first. */
  readonly verifiedAtMs: number | null
}

/**
 * Finds out, again and again, whether something that was acknowledged is gone. `step` is to be called every few seconds; it fails when
 * PostgreSQL or the stream cannot be asked, and then nothing that was found before changes.
 */
export class LedgerWatch {
  readonly #config: LedgerWatchConfig
  readonly #deps: LedgerWatchDeps
  #checkpoint: Checkpoint | null = null
  /** Since when each producer's and tenant's deficit has been seen, by both. */
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
      // A stream that still reaches as far will be read as far, however long the consumer takes.
      if (!isPassed(this.#checkpoint, await this.#deps.readEnds(), comparePositions)) this.#checkpoint = null
    }
    this.#describe(snapshot)
    // The counts were read before the ends are: what they hold lies before them.
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
      this.#deps.logger.info('records that were missing have been found', { lost: after, before })
  }

  #describe(snapshot: LedgerSnapshot): void {
    const balances = balanceTenants(snapshot.produced, snapshot.consumed, this.#lost)
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
