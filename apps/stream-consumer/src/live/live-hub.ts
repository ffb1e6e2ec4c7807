import { LiveCounts, type LiveDelta } from './live-counts.js'

/** The counts of one tenant in one second. */
export interface LiveSecond {
  readonly timeMs: number
  readonly events: number
  readonly byEvent: Readonly<Record<string, number>>
  /** null while it is unknown. */
  readonly watermark: Date | null
}

interface Watcher {
  readonly tenantId: number
  readonly counts: LiveCounts
  wake: () => void
}

/** Adds up the counts of all consumers by tenant. Each watcher gets the sum of every second, zeros included. */
export class LiveHub {
  readonly #watchers = new Set<Watcher>()
  #watermark: Date | null = null

  get size(): number {
    return this.#watchers.size
  }

  /** Receives a delta as JSON text. Malformed ones are ignored. */
  receive(message: string): void {
    if (this.#watchers.size === 0) return
    const delta = parse(message)
    if (delta === null) return
    for (const watcher of this.#watchers) {
      if (watcher.tenantId !== delta.tenant) continue
      for (const [event, count] of Object.entries(delta.byEvent)) watcher.counts.add(delta.tenant, event, count)
    }
  }

  /** Ends a second: every watcher gets its counts. */
  tick(watermark: Date | null): void {
    this.#watermark = watermark
    for (const watcher of this.#watchers) watcher.wake()
  }

  /**
   * Yields the counts of a tenant second by second, until `signal` is aborted. A slow reader gets several seconds
   * added up.
   */
  async *watch(
    tenantId: number,
    { signal, now }: { signal: AbortSignal; now: () => number },
  ): AsyncGenerator<LiveSecond> {
    const watcher: Watcher = { tenantId, counts: new LiveCounts(), wake: () => {} }
    const abort = (): void => watcher.wake()
    this.#watchers.add(watcher)
    signal.addEventListener('abort', abort)
    try {
      while (!signal.aborted) {
        await new Promise<void>((resolve) => {
          watcher.wake = resolve
        })
        if (signal.aborted) return
        const nowMs = now()
        const [delta] = watcher.counts.take(nowMs)
        yield {
          timeMs: Math.floor(nowMs / 1000) * 1000,
          events: delta?.events ?? 0,
          byEvent: delta?.byEvent ?? {},
          watermark: this.#watermark,
        }
      }
    } finally {
      signal.removeEventListener('abort', abort)
      this.#watchers.delete(watcher)
    }
  }
}

function parse(message: string): LiveDelta | null {
  try {
    const delta = JSON.parse(message) as LiveDelta
    return typeof delta.byEvent === 'object' && delta.byEvent !== null ? delta : null
  } catch {
    return null
  }
}
