import * as prom from 'prom-client'
import { checkMetricName } from './metric-name.js'

/** Values of a metric's labels: members of closed unions, never ids or messages. */
export type Labels<Label extends string> = Readonly<Record<Label, string>>

export interface MetricSpec<Label extends string> {
  /** `millrace_<area>_<noun>_<unit>`, see checkMetricName. */
  readonly name: string
  /** What is measured, in a sentence that an operator understands. */
  readonly help: string
  /** When somebody should look at it, for docs/reference/metrics.md; left out for metrics that explain others. */
  readonly alert?: string
  readonly labels?: readonly Label[]
}

export interface HistogramSpec<Label extends string> extends MetricSpec<Label> {
  /** Upper bounds in ascending order, in the metric's unit. Default: 1 ms to 10 s. */
  readonly buckets?: readonly number[]
}

/** One time series of a counter. `inc` is an addition, so it may stand on a hot path. */
export interface CounterChild {
  inc(amount?: number): void
  readonly value: number
}

export interface GaugeChild {
  set(value: number): void
  add(amount: number): void
  readonly value: number
}

export interface HistogramChild {
  observe(value: number): void
  readonly count: number
  readonly sum: number
}

/** All time series of one metric. Take a child once by `with` and keep it; `with` itself costs a look-up. */
export interface MetricFamily<Label extends string, Child> {
  with(labels: Labels<Label>): Child
  /** Forgets one series, for example of a partition that has moved away. */
  remove(labels: Labels<Label>): void
}

class Series<Label extends string, Child> implements MetricFamily<Label, Child> {
  readonly #names: readonly Label[]
  readonly #create: () => Child
  readonly #children = new Map<string, { labels: Labels<Label>; child: Child }>()

  constructor(names: readonly Label[], create: () => Child) {
    this.#names = names
    this.#create = create
    // Without labels there is one series, and it is exposed as 0 before the first event.
    if (names.length === 0) this.with({} as Labels<Label>)
  }

  with(labels: Labels<Label>): Child {
    const key = this.#key(labels)
    let found = this.#children.get(key)
    if (found === undefined) {
      const own = Object.fromEntries(this.#names.map((name) => [name, String(labels[name])])) as Record<Label, string>
      found = { labels: own, child: this.#create() }
      this.#children.set(key, found)
    }
    return found.child
  }

  remove(labels: Labels<Label>): void {
    this.#children.delete(this.#key(labels))
  }

  entries(): Iterable<{ labels: Labels<Label>; child: Child }> {
    return this.#children.values()
  }

  #key(labels: Labels<Label>): string {
    let key = ''
    for (const name of this.#names) key += `${labels[name]}\u0001`
    return key
  }
}

export class CountingChild implements CounterChild {
  value = 0
  inc(amount = 1): void {
    this.value += amount
  }
}

export class SettableChild implements GaugeChild {
  value = 0
  set(value: number): void {
    this.value = value
  }
  add(amount: number): void {
    this.value += amount
  }
}

export class BucketChild implements HistogramChild {
  count = 0
  sum = 0
  /** Not cumulative; the last one holds what is above every bound. */
  readonly buckets: Float64Array
  readonly #bounds: readonly number[]

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.buckets = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let index = 0
    while (index < bounds.length && value > (bounds[index] as number)) index++
    this.buckets[index] = (this.buckets[index] as number) + 1
    this.count++
    this.sum += value
  }
}

export const defaultSecondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

// prom-client hashes the labels at every call. The children here are plain numbers, copied into prom-client's metric when it is scraped.

export function createCounter<Label extends string>(
  registry: prom.Registry,
  spec: MetricSpec<Label>,
): Series<Label, CountingChild> {
  checkMetricName(spec.name, 'counter')
  const series = new Series<Label, CountingChild>(spec.labels ?? [], () => new CountingChild())
  new prom.Counter({
    ...promSpec(registry, spec),
    collect() {
      this.reset()
      for (const { labels, child } of series.entries()) this.inc(labels, child.value)
    },
  })
  return series
}

/** `read` is called at every scrape, for values that somebody else keeps. */
export function createGauge<Label extends string>(
  registry: prom.Registry,
  spec: MetricSpec<Label>,
  read?: (gauge: MetricFamily<Label, GaugeChild>) => void | Promise<void>,
): Series<Label, SettableChild> {
  checkMetricName(spec.name, 'gauge')
  const series = new Series<Label, SettableChild>(spec.labels ?? [], () => new SettableChild())
  new prom.Gauge({
    ...promSpec(registry, spec),
    async collect() {
      await read?.(series)
      this.reset()
      for (const { labels, child } of series.entries()) this.set(labels, child.value)
    },
  })
  return series
}

export function createHistogram<Label extends string>(
  registry: prom.Registry,
  spec: HistogramSpec<Label>,
): Series<Label, BucketChild> {
  checkMetricName(spec.name, 'histogram')
  const bounds = [...(spec.buckets ?? defaultSecondsBuckets)]
  const series = new Series<Label, BucketChild>(spec.labels ?? [], () => new BucketChild(bounds))
  new SeriesHistogram({ ...promSpec(registry, spec), buckets: bounds }, spec, series, bounds)
  return series
}

function promSpec<Label extends string>(registry: prom.Registry, spec: MetricSpec<Label>) {
  return { name: spec.name, help: spec.help, labelNames: [...(spec.labels ?? [])], registers: [registry] }
}

/** prom-client's histogram has no way to set its buckets, so this one answers the scrape itself. */
class SeriesHistogram<Label extends string> extends prom.Histogram<Label> {
  readonly #spec: HistogramSpec<Label>
  readonly #series: Series<Label, BucketChild>
  readonly #bounds: readonly number[]

  constructor(
    config: prom.HistogramConfiguration<Label>,
    spec: HistogramSpec<Label>,
    series: Series<Label, BucketChild>,
    bounds: readonly number[],
  ) {
    super(config)
    this.#spec = spec
    this.#series = series
    this.#bounds = bounds
  }

  /** What prom-client calls, for the text format and by way of `get`; its typings leave it out. */
  async getForPromString() {
    const { name, help } = this.#spec
    const values: { labels: object; sharedLabels: object; value: number; metricName: string }[] = []
    for (const { labels: sharedLabels, child } of this.#series.entries()) {
      let cumulative = 0
      for (let i = 0; i <= this.#bounds.length; i++) {
        cumulative += child.buckets[i] as number
        values.push({
          labels: { le: this.#bounds[i] ?? '+Inf' },
          sharedLabels,
          value: cumulative,
          metricName: `${name}_bucket`,
        })
      }
      values.push({ labels: {}, sharedLabels, value: child.sum, metricName: `${name}_sum` })
      values.push({ labels: {}, sharedLabels, value: child.count, metricName: `${name}_count` })
    }
    return { name, help, type: 'histogram', aggregator: 'sum', values }
  }
}
