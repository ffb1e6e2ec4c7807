import { coreErrors } from '@millrace/contracts'
import { databaseErrors, type Queryable, type Transaction } from '@millrace/database'
import type { CircuitBreaker } from '@millrace/resilience'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from './watermark-statement.js'

export interface ReplicaGateConfig extends WatermarkConfig {
  /** Maximum lag of the replica behind the primary, in ms. */
  readonly lagMaxMs: number
}

/**
 * Where a read went: to the replica, or to the primary because the replica lagged (`too_old`) or failed
 * (`unreachable`).
 */
export type ReplicaOutcome = 'replica' | 'too_old' | 'unreachable'

export interface ReplicaGateDeps {
  readonly primary: Queryable
  /** The breaker of the replica. */
  readonly breaker: CircuitBreaker
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
  readonly onRead?: (outcome: ReplicaOutcome) => void
}

/** Checks the lag of the replica inside the transaction of a read. */
type Check = (tx: Transaction) => Promise<void>

/** The watermark of the primary at a time. */
interface Sample {
  readonly atMs: number
  /** Infinity when it is not known: no replica can be proved to have reached it. */
  readonly watermarkMs: number
}

class ReplicaTooOld extends Error {}

/**
 * Sends reads to the replica while it does not lag. The watermark of the replica is read in the transaction of the read
 * itself, so the check is about exactly the state that is read. It must reach `minWatermark` of the query and the
 * watermark that the primary had `lagMaxMs` ago; the second rule also detects a replica that has stopped. An unknown
 * watermark (some partition was never consumed) counts as lagging. While the primary cannot be reached, the replica
 * stays in use.
 */
export class ReplicaGate {
  readonly #config: ReplicaGateConfig
  readonly #deps: ReplicaGateDeps
  /** Samples of the primary, oldest first. The first is the newest one older than `lagMaxMs`, if there is any. */
  #samples: Sample[] = []

  constructor(config: ReplicaGateConfig, deps: ReplicaGateDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** Takes a sample of the primary; to be called a few times per `lagMaxMs`. @throws databaseErrors */
  async watchPrimary(): Promise<void> {
    const watermarkMs = (await readWatermark(this.#deps.primary, this.#config)) ?? Number.POSITIVE_INFINITY
    const atMs = this.#deps.now()
    this.#samples.push({ atMs, watermarkMs })
    const due = this.#samples.findLastIndex((sample) => sample.atMs <= atMs - this.#config.lagMaxMs)
    if (due > 0) this.#samples = this.#samples.slice(due)
  }

  /** Reads from the replica, or from the primary when the replica lags or fails. @throws what the read throws */
  async read<T>(
    fromReplica: (check?: Check) => Promise<T>,
    fromPrimary: () => Promise<T>,
    minWatermarkMs: number | undefined,
  ): Promise<T> {
    const neededMs = Math.max(minWatermarkMs ?? Number.NEGATIVE_INFINITY, this.#dueMs())
    const check = neededMs === Number.NEGATIVE_INFINITY ? undefined : this.#checkAt(neededMs)
    try {
      const value = await this.#deps.breaker.execute(() => fromReplica(check))
      this.#deps.onRead?.('replica')
      return value
    } catch (error) {
      const outcome = outcomeOf(error)
      if (outcome === undefined) throw error
      this.#deps.onRead?.(outcome)
      return await fromPrimary()
    }
  }

  #dueMs(): number {
    const limitMs = this.#deps.now() - this.#config.lagMaxMs
    return this.#samples.findLast(({ atMs }) => atMs <= limitMs)?.watermarkMs ?? Number.NEGATIVE_INFINITY
  }

  #checkAt(neededMs: number): Check {
    return async (tx) => {
      const watermarkMs = await readWatermark(tx, this.#config)
      if (watermarkMs === null || watermarkMs < neededMs) throw new ReplicaTooOld()
    }
  }
}

/**
 * Undefined when the query itself is at fault and would fail on the primary as well. A conflict is one with the WAL
 * that the replica replays.
 */
function outcomeOf(error: unknown): ReplicaOutcome | undefined {
  if (error instanceof ReplicaTooOld) return 'too_old'
  const isUnreachable =
    databaseErrors.DATABASE_UNAVAILABLE.matches(error) ||
    databaseErrors.DATABASE_CONFLICT.matches(error) ||
    coreErrors.DEPENDENCY_CIRCUIT_OPEN.matches(error)
  return isUnreachable ? 'unreachable' : undefined
}

async function readWatermark(reader: Queryable, config: WatermarkConfig): Promise<number | null> {
  const { rows } = await reader.query<WatermarkRow>(watermarkStatement(config))
  return rows[0]?.watermark?.getTime() ?? null
}
