import { nearestRank } from '@millrace/sketches'

/** Durations in ms, to be summed up exactly. */
export class Durations {
  readonly #values: number[] = []

  add(ms: number): void {
    this.#values.push(ms)
  }

  /** In seconds; null when there are none. A percentile is the exact value at the nearest rank. */
  summary(): { seconds_avg: number | null; seconds_p50: number | null; seconds_p95: number | null } {
    const sorted = Float64Array.from(this.#values).sort()
    if (sorted.length === 0) return { seconds_avg: null, seconds_p50: null, seconds_p95: null }
    const at = (share: number) => (sorted[nearestRank(share, sorted.length)] as number) / 1000
    const total = sorted.reduce((sum, value) => sum + value, 0)
    return { seconds_avg: total / sorted.length / 1000, seconds_p50: at(0.5), seconds_p95: at(0.95) }
  }
}
