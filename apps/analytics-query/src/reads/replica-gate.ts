import { coreErrors } from '@millrace/contracts'
import { databaseErrors, type Queryable, type Transaction } from '@millrace/database'
import type { CircuitBreaker } from '@millrace/resilience'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from './watermark-statement.js'

export interface ReplicaGateConfig extends WatermarkConfig {
  /** How far the replica may stay behind what the primary was seen to have, in ms. */
  readonly lagMaxMs: number
}

/** Why a read went where it did: to the replica, or to the primary because the replica was too old or not to be reached. */
export type ReplicaOutcome = 'replica' | 'too_old' | 'unreachable'

export interface ReplicaGateDeps {
  readonly primary: Queryable
  /** Of the replica. */
  readonly breaker: CircuitBreaker
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
  readonly onRead?: (outcome: ReplicaOutcome) => void
}

/** Looks at the replica's own state inside the transaction of a read. */
type Check = (tx: Transaction) => Promise<void>

interface Sighting {
  readonly atMs: number
  /** Infinity when it was not known: then no replica is known to have as much. */
  readonly watermarkMs: number
}

class ReplicaTooOld extends Error {}

/**
 * Sends reads to the replica while it is new enough. Its watermark is read in the transaction of the read itself, so what is judged is what is
 * read. It must not lie below what the caller asks for, nor below what the primary was seen to have `lagMaxMs` ago: a replica that stands still
 * is passed by, also by callers who ask for nothing. A watermark that is not known, because some partition was never read, is too old. While the primary cannot be reached nothing newer is seen of it, and the replica goes on.
 */
export class ReplicaGate {
  readonly #config: ReplicaGateConfig
  readonly #deps: ReplicaGateDeps
  /** Of the primary, oldest first; the first is the newest that the replica must have by now, if it is old enough itself. */
  #sightings: Sighting[] = []

  constructor(config: ReplicaGateConfig, deps: ReplicaGateDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** Notes how far the primary is; to be called a few times in `lagMaxMs`. @throws databaseErrors */
  async watchPrimary(): Promise<void> {
    const watermarkMs = (await readWatermark(this.#deps.primary, this.#config)) ?? Number.POSITIVE_INFINITY
    const atMs = this.#deps.now()
    this.#sightings.push({ atMs, watermarkMs })
    const due = this.#sightings.findLastIndex((sighting) => sighting.atMs <= atMs - this.#config.lagMaxMs)
    if (due > 0) this.#sightings = this.#sightings.slice(due)
  }

  /** The replica's answer, or the primary's where that is too old or cannot be had. @throws whatever the read of the primary throws */
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
    return this.#sightings.findLast(({ atMs }) => atMs <= limitMs)?.watermarkMs ?? Number.NEGATIVE_INFINITY
  }

  #checkAt(neededMs: number): Check {
    return async (tx) => {
      const watermarkMs = await readWatermark(tx, this.#config)
      if (watermarkMs === null || watermarkMs < neededMs) throw new ReplicaTooOld()
    }
  }
}

/** Undefined when the error is the query's own, which the primary would give as well. A conflict is with what the replica replays. */
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
