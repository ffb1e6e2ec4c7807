/** 1 ms for each 4,000 records/s: a frame in each of 16 partitions then holds some 6 records at 20,000/s and 60 at 100,000/s. */
const RECORDS_A_MS_PER_LINGER_MS = 4
/** The part of a change that one observation takes over, so that a single full or empty tick has little effect. */
const SHARE_PER_OBSERVATION = 1 / 8

/**
 * How long an open batch waits for more records. It follows the load: a frame costs producer, stream and consumer about as much as ten records, so
 * at high load larger frames save work, while at low load a wait would only add latency.
 */
export class AdaptiveLinger {
  readonly #minMs: number
  readonly #maxMs: number
  #observedAtMs: number
  #ms: number

  constructor(config: { readonly minMs: number; readonly maxMs: number; readonly nowMs: number }) {
    this.#minMs = config.minMs
    this.#maxMs = config.maxMs
    this.#observedAtMs = config.nowMs
    this.#ms = config.minMs
  }

  get ms(): number {
    return this.#ms
  }

  /** `records` were added since the last call. */
  observe(records: number, nowMs: number): void {
    const perMs = records / Math.max(1, nowMs - this.#observedAtMs)
    this.#observedAtMs = nowMs
    const wantedMs = Math.min(this.#maxMs, Math.max(this.#minMs, perMs / RECORDS_A_MS_PER_LINGER_MS))
    this.#ms += (wantedMs - this.#ms) * SHARE_PER_OBSERVATION
  }
}
