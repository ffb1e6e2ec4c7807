import type { CounterChild } from '@millrace/telemetry'
import type { CacheMetrics } from './cache-metrics.js'
import type { CacheStats } from './tier-stats.js'

type TierOutcome = 'hit' | 'stale' | 'miss'

/** The counters of a namespace, for its statistics and, if there are metrics, for Prometheus. */
export class Counters {
  readonly memory: Readonly<Record<TierOutcome, CounterChild>>
  readonly redis: Readonly<Record<TierOutcome | 'error', CounterChild>>
  readonly loads: Readonly<Record<'ok' | 'error' | 'timeout' | 'unkept', CounterChild>>
  readonly invalidations: CounterChild
  readonly evictions: CounterChild
  redisBytesRead = 0
  redisBytesWritten = 0

  constructor(namespace: string, metrics: CacheMetrics | undefined) {
    const reads = (tier: 'memory' | 'redis', outcome: string) =>
      metrics?.reads.with({ namespace, tier, outcome }) ?? createCount()
    const loads = (outcome: string) => metrics?.loads.with({ namespace, outcome }) ?? createCount()
    this.memory = { hit: reads('memory', 'hit'), stale: reads('memory', 'stale'), miss: reads('memory', 'miss') }
    this.redis = {
      hit: reads('redis', 'hit'),
      stale: reads('redis', 'stale'),
      miss: reads('redis', 'miss'),
      error: reads('redis', 'error'),
    }
    this.loads = { ok: loads('ok'), error: loads('error'), timeout: loads('timeout'), unkept: loads('unkept') }
    this.invalidations = metrics?.invalidations.with({ namespace }) ?? createCount()
    this.evictions = metrics?.evictions.with({ namespace }) ?? createCount()
  }

  toStats(fill: { readonly entries: number; readonly bytes: number }): CacheStats {
    const { memory, redis, loads } = this
    const reads = memory.hit.value + memory.stale.value + memory.miss.value
    const called = loads.ok.value + loads.error.value + loads.timeout.value
    return {
      memory: {
        ...toTier(memory),
        entries: fill.entries,
        bytes: fill.bytes,
        evictions: this.evictions.value,
      },
      redis: {
        ...toTier(redis),
        errors: redis.error.value,
        bytesRead: this.redisBytesRead,
        bytesWritten: this.redisBytesWritten,
      },
      source: {
        loads: called,
        errors: loads.error.value,
        timeouts: loads.timeout.value,
        unkept: loads.unkept.value,
      },
      invalidations: this.invalidations.value,
      hitRatio: toRatio(reads - called, reads),
    }
  }
}

function toTier({ hit, stale, miss }: Readonly<Record<TierOutcome, CounterChild>>) {
  const reads = hit.value + stale.value + miss.value
  return { hits: hit.value, stale: stale.value, misses: miss.value, hitRatio: toRatio(hit.value, reads) }
}

const toRatio = (part: number, whole: number) => (whole === 0 ? 0 : Math.max(0, part / whole))

function createCount(): CounterChild {
  return {
    value: 0,
    inc(this: { value: number }, amount = 1) {
      this.value += amount
    },
  }
}
