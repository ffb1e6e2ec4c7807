/** The part of a change that one batch takes over, so that a single slow batch has little effect. */
const SHARE_PER_BATCH = 0.3

/** How large batches are: so large that one takes about `aimMs`, between the limits. Sizes are in any unit. */
export class BatchSize {
  readonly #min: number
  readonly #max: number
  readonly #aimMs: number
  #value: number

  constructor(config: { readonly min: number; readonly max: number; readonly aimMs: number }) {
    this.#min = config.min
    this.#max = config.max
    this.#aimMs = config.aimMs
    this.#value = config.min
  }

  get value(): number {
    return Math.round(this.#value)
  }

  /** A batch of this size took this long. */
  observe(size: number, tookMs: number): void {
    const wanted = (size * this.#aimMs) / Math.max(1, tookMs)
    const next = this.#value + (wanted - this.#value) * SHARE_PER_BATCH
    // At most doubled: the time of a small batch says little about a large one.
    this.#value = Math.min(this.#max, Math.max(this.#min, Math.min(next, 2 * this.#value)))
  }
}
