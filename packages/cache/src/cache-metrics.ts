import type { CounterChild, MetricFamily, Metrics } from '@millrace/telemetry'
import type { CacheStats } from './tier-stats.js'

export interface CacheMetrics {
  /** `tier` memory or redis; `outcome` hit, stale, miss or error. */
  readonly reads: MetricFamily<'namespace' | 'tier' | 'outcome', CounterChild>
  /** `outcome` ok, error, timeout or unkept (a part of ok: loaded and not kept). */
  readonly loads: MetricFamily<'namespace' | 'outcome', CounterChild>
  readonly invalidations: MetricFamily<'namespace', CounterChild>
  readonly evictions: MetricFamily<'namespace', CounterChild>
  /** Namespaces whose fill is asked for at a scrape. */
  readonly watched: Map<string, () => CacheStats>
}

/** Labels are names of namespaces: a closed set. */
export function createCacheMetrics(metrics: Metrics): CacheMetrics {
  const watched = new Map<string, () => CacheStats>()
  const labels = ['namespace'] as const
  metrics.gauge(
    { name: 'millrace_cache_memory_bytes', help: 'Encoded size of the values in memory', labels },
    (gauge) => {
      for (const [namespace, stats] of watched) gauge.with({ namespace }).set(stats().memory.bytes)
    },
  )
  metrics.gauge({ name: 'millrace_cache_memory_entries', help: 'Values in memory', labels }, (gauge) => {
    for (const [namespace, stats] of watched) gauge.with({ namespace }).set(stats().memory.entries)
  })
  return {
    watched,
    reads: metrics.counter({
      name: 'millrace_cache_reads_total',
      help: 'Reads that reached a tier, by what they found there',
      labels: ['namespace', 'tier', 'outcome'],
    }),
    loads: metrics.counter({
      name: 'millrace_cache_loads_total',
      help: 'Calls of the source',
      labels: ['namespace', 'outcome'],
    }),
    invalidations: metrics.counter({
      name: 'millrace_cache_invalidations_total',
      help: 'Invalidations made by this process',
      labels,
    }),
    evictions: metrics.counter({
      name: 'millrace_cache_evictions_total',
      help: 'Values that memory gave up for want of room',
      labels,
    }),
  }
}
