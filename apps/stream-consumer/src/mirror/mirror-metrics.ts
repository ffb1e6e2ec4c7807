import type { Metrics } from '@millrace/telemetry'

/** Values that are read when metrics are scraped. */
export interface MirrorGauges {
  readonly lagRecords: () => number
  readonly lagMs: () => number
  readonly retentionMs: number
}

/** The metrics of the mirror to Kafka. Registered only when there is one. */
export class MirrorMetrics {
  readonly #events
  readonly #omitted
  readonly #failures

  constructor(metrics: Metrics) {
    this.#events = metrics
      .counter({
        name: 'millrace_mirror_events_total',
        help: 'Stored events that were written to KAFKA_MIRROR_TOPIC; an event that was written twice counts twice.',
      })
      .with({})
    this.#omitted = metrics
      .counter({
        name: 'millrace_mirror_omitted_events_total',
        help: 'Events that were written without properties and context, because max.message.bytes of the topic is too small for them.',
        alert: 'rises',
      })
      .with({})
    this.#failures = metrics
      .counter({
        name: 'millrace_mirror_failures_total',
        help: 'Failed attempts to read stored events or to write them to KAFKA_MIRROR_TOPIC. A failed attempt is repeated.',
      })
      .with({})
  }

  addMirrored(events: number, omitted: number): void {
    this.#events.inc(events)
    this.#omitted.inc(omitted)
  }

  addFailure(): void {
    this.#failures.inc()
  }
}

/** Registers the gauges of the lag. To be called once per process. */
export function readMirrorLagAtScrape(metrics: Metrics, read: MirrorGauges): void {
  metrics.gauge(
    {
      name: 'millrace_mirror_lag_records',
      help: "Stored records of this consumer's partitions that are not in KAFKA_MIRROR_TOPIC yet; duplicates and dead letters among them count too.",
    },
    (family) => family.with({}).set(read.lagRecords()),
  )
  metrics.gauge(
    {
      name: 'millrace_mirror_lag_seconds',
      help: "How long the oldest event of this consumer's partitions has waited to be written to KAFKA_MIRROR_TOPIC.",
      alert: 'above 300',
    },
    (family) => family.with({}).set(read.lagMs() / 1000),
  )
  metrics.gauge(
    {
      name: 'millrace_mirror_lag_retention_ratio',
      help: 'The lag of the mirror divided by EVENTS_RETENTION_DAYS. At 1, events are deleted before they are mirrored.',
      alert: 'above 0.5: near 1, events are lost to the mirror',
    },
    (family) => family.with({}).set(read.lagMs() / read.retentionMs),
  )
}
