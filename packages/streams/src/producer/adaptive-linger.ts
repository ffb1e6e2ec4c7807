import type { LingerGrowth } from '../driver/stream-driver.js'

/** The part of a change that one observation takes over, so that a single full or empty tick has little effect. */
const SHARE_PER_OBSERVATION = 1 / 8

/**
 * How long an open batch waits for more records. It follows the load: a frame costs producer, stream and consumer about as much as ten records, so
 * at high load larger frames save work, while at low load a wait would only add latency.
 */
export class AdaptiveLinger {
  readonly #minMs: number
  readonly #growth: LingerGrowth
  #observedAtMs: number
  #ms: number

  constructor(config: { readonly minMs: number; readonly growth: LingerGrowth; readonly nowMs: number }) {
    this.#minMs = config.minMs
    this.#growth = config.growth
    this.#observedAtMs = config.nowMs
    this.#ms = config.minMs
  }

  get ms(): number {
    return this.#ms
  }

  /** `records` were added since the last call. */
  observe(records: number, nowMs: number): void {
    const { msMax, recordsPerSecond } = this.#growth
    const perSecond = (1000 * records) / Math.max(1, nowMs - this.#observedAtMs)
    this.#observedAtMs = nowMs
    const wantedMs = Math.min(msMax, Math.max(this.#minMs, perSecond / recordsPerSecond))
    this.#ms += (wantedMs - this.#ms) * SHARE_PER_OBSERVATION
  }
}
