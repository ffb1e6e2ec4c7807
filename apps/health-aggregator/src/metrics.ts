import type { Metrics } from '@millrace/telemetry'
import type { CheckResult, HealthStatus } from './checks/health-check.js'
import type { LedgerState } from './ledger/ledger-watch.js'
import type { ProbeResult } from './probe/probe.js'
import type { MirrorLag } from './queues/mirror-state.js'
import type { QueueState } from './queues/queue-state.js'

const STATUS_VALUES = { healthy: 0, degraded: 1, unhealthy: 2 } as const

/** The metrics that alerts are built on. */
export class HealthMetrics {
  readonly #status
  readonly #parts
  readonly #lag
  readonly #mirrorLag
  readonly #mirrorSeconds
  readonly #mirrorMissed
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
      .gauge({
        name: 'millrace_health_status_level',
        help: 'Overall status: 0 healthy, 1 degraded, 2 unhealthy',
        alert: '2, or 1 for more than ten minutes',
      })
      .with({})
    this.#parts = metrics.gauge({
      name: 'millrace_health_part_level',
      help: 'Status of a part of the health report, such as database or archive: 0 healthy, 1 degraded, 2 unhealthy',
      alert: 'above 0 for more than ten minutes',
      labels: ['part'] as const,
    })
    this.#lag = metrics.gauge({
      name: 'millrace_queue_lag_records',
      help: 'Records of a partition that are in the stream and not yet stored',
      alert: 'above 1,000 for minutes, or rising',
      labels: ['partition'] as const,
    })
    this.#mirrorLag = metrics.gauge({
      name: 'millrace_queue_mirror_lag_records',
      help: 'Stored records of a partition that are not in KAFKA_MIRROR_TOPIC yet, duplicates and dead letters among them included',
      labels: ['partition'] as const,
    })
    this.#mirrorSeconds = metrics.gauge({
      name: 'millrace_queue_mirror_lag_seconds',
      help: 'How long the oldest event of a partition has waited to be written to KAFKA_MIRROR_TOPIC',
      alert: 'above 300; events are deleted after EVENTS_RETENTION_DAYS, mirrored or not',
      labels: ['partition'] as const,
    })
    this.#mirrorMissed = metrics.gauge({
      name: 'millrace_queue_mirror_missed_events',
      help: 'Events that retention deleted before they were written to KAFKA_MIRROR_TOPIC',
      alert: 'rises: the topic lacks these events',
      labels: ['partition'] as const,
    })
    this.#deadLetters = metrics
      .gauge({
        name: 'millrace_queue_dead_letters',
        help: 'Dead letters that are neither replayed nor discarded yet',
        alert: 'above 0',
      })
      .with({})
    this.#ledger = metrics.gauge({
      name: 'millrace_ledger_records',
      help: 'Records of all tenants that are in flight, lost or dead-lettered',
      alert: 'lost above 0',
      labels: ['state'] as const,
    })
    this.#unbalanced = metrics
      .gauge({
        name: 'millrace_ledger_unbalanced_tenants',
        help: 'Tenants whose ledger does not balance',
        alert: 'above 0',
      })
      .with({})
    this.#verified = metrics
      .gauge({
        name: 'millrace_ledger_verified_seconds',
        help: 'Unix time of the last complete comparison of the ledger with the stream',
        alert: 'older than five minutes',
      })
      .with({})
    this.#hops = metrics.histogram({
      name: 'millrace_probe_hop_seconds',
      help: 'Time from sending a synthetic event until it was accepted, stored or visible to queries',
      alert: 'the 95th percentile of visible exceeds 2 seconds',
      labels: ['hop'] as const,
    })
    this.#failures = metrics.counter({
      name: 'millrace_probe_failures_total',
      help: 'Synthetic events that failed, by the step that failed',
      alert: 'rises',
      labels: ['hop'] as const,
    })
    this.#lastSuccess = metrics
      .gauge({
        name: 'millrace_probe_success_seconds',
        help: 'Unix time of the last synthetic event that a query found',
        alert: 'older than three intervals',
      })
      .with({})
    this.#hitRatio = metrics
      .gauge({
        name: 'millrace_postgres_cache_hit_ratio',
        help: 'Share of pages that PostgreSQL read from its buffers in the last minute',
        alert: 'below 0.95 for an hour',
      })
      .with({})
    this.#deadBytes = metrics.gauge({
      name: 'millrace_postgres_dead_bytes',
      help: 'Estimated dead space of the five tables and five indexes with the most; partitions count as their table',
      alert: 'above a tenth of the disk',
      labels: ['kind', 'relation'] as const,
    })
  }

  noteReport(status: HealthStatus, services: ReadonlyMap<string, CheckResult>): void {
    this.#status.set(STATUS_VALUES[status])
    for (const [part, result] of services) this.#parts.with({ part }).set(STATUS_VALUES[result.status])
  }

  /** An unknown lag leaves the last value in place. */
  noteQueues(state: QueueState): void {
    for (const { partition, lagRecords } of state.partitions) {
      if (lagRecords !== null) this.#lag.with({ partition: String(partition) }).set(lagRecords)
    }
    this.#deadLetters.set(state.deadLetters)
  }

  noteMirror(lags: readonly MirrorLag[]): void {
    for (const { partition, lagRecords, lagSeconds, missed } of lags) {
      const labels = { partition: String(partition) }
      if (lagRecords !== null) this.#mirrorLag.with(labels).set(lagRecords)
      this.#mirrorSeconds.with(labels).set(lagSeconds)
      this.#mirrorMissed.with(labels).set(missed)
    }
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
