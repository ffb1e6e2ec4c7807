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
  /** Whether to measure the process itself: CPU, memory, event-loop lag, collections. Default true. */
  readonly hasProcessMetrics?: boolean
}

/**
 * The metrics of one process. Handed in wherever metrics are made; there is no global registry. A metric made without labels is its own only
 * child: `metrics.counter({ name, help }).with({})`.
 */
export interface Metrics {
  /** Names end in `_total`. Throws on a name that breaks the rule or is taken. */
  counter<Label extends string = never>(spec: MetricSpec<Label>): MetricFamily<Label, CounterChild>
  /** `read` runs at every scrape and may set the series. */
  gauge<Label extends string = never>(
    spec: MetricSpec<Label>,
    read?: (gauge: MetricFamily<Label, GaugeChild>) => void | Promise<void>,
  ): MetricFamily<Label, GaugeChild>
  histogram<Label extends string = never>(spec: HistogramSpec<Label>): MetricFamily<Label, HistogramChild>
  /** The Prometheus text format of everything. */
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
