import type { CounterChild, MetricFamily, Metrics } from '@millrace/telemetry'
import type { CacheStats } from './tier-stats.js'

/** The metrics of all caches of a process. */
export interface CacheMetrics {
  /** `tier` memory or redis; `outcome` hit, stale, miss or error. */
  readonly reads: MetricFamily<'namespace' | 'tier' | 'outcome', CounterChild>
  /** `outcome` ok, error, timeout or unkept (also counted as ok: loaded but not kept). */
  readonly loads: MetricFamily<'namespace' | 'outcome', CounterChild>
  readonly invalidations: MetricFamily<'namespace', CounterChild>
  readonly evictions: MetricFamily<'namespace', CounterChild>
  /** Namespaces whose memory is measured at each scrape. */
  readonly watched: Map<string, () => CacheStats>
}

/** Registers the metrics. Once per process. */
export function createCacheMetrics(metrics: Metrics): CacheMetrics {
  const watched = new Map<string, () => CacheStats>()
  metrics.gauge(
    { name: 'millrace_cache_memory_bytes', help: 'Encoded size of the values in memory', labels: ['namespace'] },
    (gauge) => {
      for (const [namespace, stats] of watched) gauge.with({ namespace }).set(stats().memory.bytes)
    },
  )
  metrics.gauge({ name: 'millrace_cache_memory_entries', help: 'Values in memory', labels: ['namespace'] }, (gauge) => {
    for (const [namespace, stats] of watched) gauge.with({ namespace }).set(stats().memory.entries)
  })
  return {
    watched,
    reads: metrics.counter({
      name: 'millrace_cache_reads_total',
      help: 'Reads of a tier by their outcome',
      alert: 'the share of hits falls below 70 %',
      labels: ['namespace', 'tier', 'outcome'],
    }),
    loads: metrics.counter({
      name: 'millrace_cache_loads_total',
      help: 'Calls of loaders by their outcome',
      labels: ['namespace', 'outcome'],
    }),
    invalidations: metrics.counter({
      name: 'millrace_cache_invalidations_total',
      help: 'Invalidations by this process',
      labels: ['namespace'],
    }),
    evictions: metrics.counter({
      name: 'millrace_cache_evictions_total',
      help: 'Values that were evicted from memory',
      labels: ['namespace'],
    }),
  }
}
