import type { NamespaceCore } from './namespace-core.js'
import type { RemoteTier } from './remote-tier.js'

const everyMs = 30_000
const keysMax = 64

/** Reports the keys that were read most since the last report to Redis, every 30 s. The returned function stops it. */
export function rememberPopular<T>(core: NamespaceCore<T>, remote: RemoteTier): () => void {
  let cancel: () => void = () => undefined
  const later = () => {
    cancel = core.clock.schedule(everyMs, report, 'background')
  }
  const report = () => {
    later()
    const hits = takeHits(core)
    if (hits.size > 0 && remote.isReady) core.background(remote.remember(hits).catch(() => undefined))
  }
  later()
  return () => cancel()
}

function takeHits<T>({ memory }: NamespaceCore<T>): Map<string, number> {
  const counted: [string, number][] = []
  for (const entry of memory.values()) {
    const hits = entry.hits - entry.hitsRemembered
    if (hits > 0) counted.push([entry.key, hits])
    entry.hitsRemembered = entry.hits
  }
  return new Map(counted.sort(([, a], [, b]) => b - a).slice(0, keysMax))
}
