import type { Metrics } from '@millrace/telemetry'
import type { HealthStatus } from './checks/health-check.js'
import type { LedgerState } from './ledger/ledger-watch.js'
import type { ProbeResult } from './probe/probe.js'
import type { QueueState } from './queues/queue-state.js'

const STATUS_VALUES = { healthy: 0, degraded: 1, unhealthy: 2 } as const

/** What alerts are made from. */
export class HealthMetrics {
  readonly #status
  readonly #lag
  readonly #deadLetters
  readonly #ledger
  readonly #unbalanced
  readonly #verified
  readonly #hops
  readonly #failures
  readonly #lastSuccess
  readonly #hitRatio
  readonly #deadBytes
  readonly #deadRelations = { table: new Set<string>(), index: new Set<string>() }

  constructor(metrics: Metrics) {
    this.#status = metrics
      .gauge({ name: 'millrace_health_status_level', help: 'Status of the whole: 0 healthy, 1 degraded, 2 unhealthy' })
      .with({})
    this.#lag = metrics.gauge({
      name: 'millrace_queue_lag_records',
      help: 'Records in the stream that are not stored yet, by partition',
      labels: ['partition'] as const,
    })
    this.#deadLetters = metrics
      .gauge({ name: 'millrace_queue_dead_letters', help: 'Dead letters that wait for a decision' })
      .with({})
    this.#ledger = metrics.gauge({
      name: 'millrace_ledger_records',
      help: 'Records of the ledger of all tenants: in_flight, lost, dead_lettered',
      labels: ['state'] as const,
    })
    this.#unbalanced = metrics
      .gauge({ name: 'millrace_ledger_unbalanced_tenants', help: 'Tenants whose ledger does not balance' })
      .with({})
    this.#verified = metrics
      .gauge({
        name: 'millrace_ledger_verified_seconds',
        help: 'When the ledger was last compared with the streams, in Unix time',
      })
      .with({})
    this.#hops = metrics.histogram({
      name: 'millrace_probe_hop_seconds',
      help: 'Time from sending the synthetic event until it was accepted, stored, visible',
      labels: ['hop'] as const,
    })
    this.#failures = metrics.counter({
      name: 'millrace_probe_failures_total',
      help: 'Synthetic events that did not come through, by the hop that failed',
      labels: ['hop'] as const,
    })
    this.#lastSuccess = metrics
      .gauge({ name: 'millrace_probe_success_seconds', help: 'When a synthetic event last came through, in Unix time' })
      .with({})
    this.#hitRatio = metrics
      .gauge({
        name: 'millrace_postgres_cache_hit_ratio',
        help: 'Share of pages that PostgreSQL found in its own memory in the last minute',
      })
      .with({})
    this.#deadBytes = metrics.gauge({
      name: 'millrace_postgres_dead_bytes',
      help: 'Estimated dead space of the five worst tables and indexes; partitions count as their table',
      labels: ['kind', 'relation'] as const,
    })
  }

  noteStatus(status: HealthStatus): void {
    this.#status.set(STATUS_VALUES[status])
  }

  /** A lag that is not known keeps its last value. */
  noteQueues(state: QueueState): void {
    for (const { partition, lagRecords } of state.partitions) {
      if (lagRecords !== null) this.#lag.with({ partition: String(partition) }).set(lagRecords)
    }
    this.#deadLetters.set(state.deadLetters)
  }

  noteLedger(state: LedgerState): void {
    this.#ledger.with({ state: 'in_flight' }).set(state.inFlight)
    this.#ledger.with({ state: 'lost' }).set(state.lost)
    this.#ledger.with({ state: 'dead_lettered' }).set(state.deadLettered)
    this.#unbalanced.set(state.unbalancedTenants)
    if (state.verifiedAtMs !== null) this.#verified.set(state.verifiedAtMs / 1000)
  }

  noteProbe(result: ProbeResult): void {
    for (const hop of ['accepted', 'stored', 'visible'] as const) {
      const ms = result.hopsMs[hop]
      if (ms !== undefined) this.#hops.with({ hop }).observe(ms / 1000)
    }
    if (result.failure === undefined) this.#lastSuccess.set(result.startedAtMs / 1000)
    else this.#failures.with({ hop: result.failure.hop }).inc()
  }

  noteHitRatio(ratio: number): void {
    this.#hitRatio.set(ratio)
  }

  noteDeadBytes(kind: 'table' | 'index', bytes: ReadonlyMap<string, number>): void {
    const known = this.#deadRelations[kind]
    for (const relation of known) if (!bytes.has(relation)) this.#deadBytes.remove({ kind, relation })
    known.clear()
    for (const [relation, dead] of bytes) {
      known.add(relation)
      this.#deadBytes.with({ kind, relation }).set(dead)
    }
  }
}
