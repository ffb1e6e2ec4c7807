/** Percentiles in milliseconds, by the nearest rank. */
export interface LatencySummary {
  count: number
  p50_ms: number
  p95_ms: number
  p99_ms: number
  max_ms: number
}

/** Keeps every value, so that percentiles are exact. */
export class Latencies {
  private values = new Float64Array(4096)
  private count = 0

  add(ms: number): void {
    if (this.count === this.values.length) {
      const larger = new Float64Array(this.count * 2)
      larger.set(this.values)
      this.values = larger
    }
    this.values[this.count++] = ms
  }

  summary(): LatencySummary {
    const sorted = this.values.slice(0, this.count).sort()
    const at = (share: number) => round(sorted[Math.max(0, Math.ceil(share * this.count) - 1)] ?? Number.NaN)
    return { count: this.count, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: at(1) }
  }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
