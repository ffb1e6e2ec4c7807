/** 1 ms for each 4,000 records/s: a frame in each of 16 partitions then holds some 6 records at 20,000/s and 60 at 100,000/s. */
const RECORDS_A_MS_PER_LINGER_MS = 4
/** How much of a change one look takes over: a single full or empty tick tells little. */
const SHARE_PER_LOOK = 1 / 8

/**
 * How long an open batch waits for company. It follows the load: a frame costs everyone about as much as ten records, so with many records it
 * pays to wait for larger frames, and with few nobody comes.
 */
export class AdaptiveLinger {
  readonly #minMs: number
  readonly #maxMs: number
  #lookedAtMs: number
  #ms: number

  constructor(config: { readonly minMs: number; readonly maxMs: number; readonly nowMs: number }) {
    this.#minMs = config.minMs
    this.#maxMs = config.maxMs
    this.#lookedAtMs = config.nowMs
    this.#ms = config.minMs
  }

  get ms(): number {
    return this.#ms
  }

  /** So many records have come since the last look. */
  look(records: number, nowMs: number): void {
    const perMs = records / Math.max(1, nowMs - this.#lookedAtMs)
    this.#lookedAtMs = nowMs
    const wantedMs = Math.min(this.#maxMs, Math.max(this.#minMs, perMs / RECORDS_A_MS_PER_LINGER_MS))
    this.#ms += (wantedMs - this.#ms) * SHARE_PER_LOOK
  }
}
