import * as prom from 'prom-client'
import {
  type CounterChild,
  createCounter,
  createGauge,
  createHistogram,
  type GaugeChild,
  type HistogramChild,
  type HistogramSpec,
  type MetricFamily,
  type MetricSpec,
} from './metric-families.js'

export interface MetricsConfig {
  /** Becomes the label `service` of every series. */
  readonly service: string
  /** Whether to measure the process too: CPU, memory, event-loop lag, garbage collection. Default true. */
  readonly hasProcessMetrics?: boolean
}

/**
 * The metrics of one process, passed to every part that creates metrics; there is no global registry. A metric without labels has one series:
 * `metrics.counter({ name, help }).with({})`.
 */
export interface Metrics {
  /** @throws TypeError when the name does not follow checkMetricName; Error when it is registered already. */
  counter<Label extends string = never>(spec: MetricSpec<Label>): MetricFamily<Label, CounterChild>
  /** `read` runs at every scrape and may set the series. Throws like `counter`. */
  gauge<Label extends string = never>(
    spec: MetricSpec<Label>,
    read?: (gauge: MetricFamily<Label, GaugeChild>) => void | Promise<void>,
  ): MetricFamily<Label, GaugeChild>
  /** Throws like `counter`. */
  histogram<Label extends string = never>(spec: HistogramSpec<Label>): MetricFamily<Label, HistogramChild>
  /** All metrics in the Prometheus text format. */
  expose(): Promise<string>
  readonly contentType: string
}

export function createMetrics(config: MetricsConfig): Metrics {
  const registry = new prom.Registry()
  registry.setDefaultLabels({ service: config.service })
  if (config.hasProcessMetrics ?? true) prom.collectDefaultMetrics({ register: registry })
  return {
    counter: (spec) => createCounter(registry, spec),
    gauge: (spec, read) => createGauge(registry, spec, read),
    histogram: (spec) => createHistogram(registry, spec),
    expose: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
