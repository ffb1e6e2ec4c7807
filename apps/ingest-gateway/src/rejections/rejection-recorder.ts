import type { Masker } from '@millrace/masking'
import type { Metrics } from '@millrace/telemetry'
import { writeRejection } from './kept-rejection.js'
import type { KeptCode } from './rejection-codes.js'
import type { RejectionDraft } from './rejection-draft.js'
import { RejectionSampler, type SamplerConfig } from './rejection-sampler.js'
import type { RejectionStore } from './rejection-store.js'

export interface RecorderDeps {
  readonly store: Pick<RejectionStore, 'append'>
  readonly masker: Masker
  readonly metrics: Metrics
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Drafts that wait for the next flush: at most 9 KiB each, so 5 MiB in all. */
const QUEUE_MAX = 512
/** Drafts of one flush. Masking one takes up to 50 µs. */
const FLUSH_MAX = 128

/**
 * Keeps rejections without making the request wait: a draft goes into a bounded queue, and `flush` masks and writes what is in it. What does not fit is
 * dropped and counted.
 */
export class RejectionRecorder {
  readonly #deps: RecorderDeps
  readonly #sampler: RejectionSampler
  readonly #queue: RejectionDraft[] = []
  readonly #kept
  readonly #dropped

  constructor(config: SamplerConfig, deps: RecorderDeps) {
    this.#deps = deps
    this.#sampler = new RejectionSampler(config)
    this.#kept = deps.metrics
      .counter({ name: 'millrace_rejections_kept_total', help: 'Rejections written to the list that clients can read' })
      .with({})
    const dropped = deps.metrics.counter({
      name: 'millrace_rejections_dropped_total',
      help: 'Rejections that are not in the list that clients can read, by cause: sampled (the tenant has many with this code), queue (too many at once) or redis (it did not take them)',
      alert: 'redis rises: the list of rejections has gaps',
      labels: ['cause'],
    })
    this.#dropped = {
      sampled: dropped.with({ cause: 'sampled' }),
      queue: dropped.with({ cause: 'queue' }),
      redis: dropped.with({ cause: 'redis' }),
    }
  }

  /**
   * Whether a rejection is to be kept: then the number of rejections with this tenant and code that were not kept since the last kept one, else
   * undefined.
   */
  sample(tenantId: number, code: KeptCode): number | undefined {
    const omitted = this.#sampler.take(tenantId, code, this.#deps.now())
    if (omitted === undefined) this.#dropped.sampled.inc()
    return omitted
  }

  /** Adds a rejection to the queue. Never throws and never waits. */
  keep(draft: RejectionDraft): void {
    if (this.#queue.length >= QUEUE_MAX) this.#dropped.queue.inc()
    else this.#queue.push(draft)
  }

  /** Writes the oldest drafts of the queue. @throws what the store throws, after it dropped and counted them */
  async flush(): Promise<void> {
    const byTenant = new Map<number, RejectionDraft[]>()
    for (const draft of this.#queue.splice(0, FLUSH_MAX)) {
      const own = byTenant.get(draft.tenantId)
      if (own === undefined) byTenant.set(draft.tenantId, [draft])
      else own.push(draft)
    }
    let fault: unknown
    for (const [tenantId, drafts] of byTenant) {
      // Nothing is tried after a failure: the next write would fail too and could take as long.
      if (fault === undefined) fault = await this.#write(tenantId, drafts)
      else this.#dropped.redis.inc(drafts.length)
    }
    if (fault !== undefined) throw fault
  }

  async #write(tenantId: number, drafts: readonly RejectionDraft[]): Promise<unknown> {
    try {
      const { masker, store } = this.#deps
      await store.append(
        tenantId,
        drafts.map((draft) => writeRejection(draft, masker)),
      )
      this.#kept.inc(drafts.length)
      return undefined
    } catch (error) {
      this.#dropped.redis.inc(drafts.length)
      return error
    }
  }
}
