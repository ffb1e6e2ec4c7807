import type { CheckResult } from '../checks/health-check.js'
import type { ProbeResult } from './probe.js'

export interface ProbeStateConfig {
  /** 0 means that there are no synthetic events. */
  readonly intervalMs: number
  readonly timeoutMs: number
}

/** The results of the latest synthetic events, for the detailed health report. */
export class ProbeState {
  readonly #config: ProbeStateConfig
  readonly #now: () => number
  readonly #startedAtMs: number
  #last: ProbeResult | undefined
  #lastSuccessMs: number | undefined

  constructor(config: ProbeStateConfig, now: () => number) {
    this.#config = config
    this.#now = now
    this.#startedAtMs = now()
  }

  note(result: ProbeResult): void {
    this.#last = result
    if (result.failure === undefined) this.#lastSuccessMs = result.startedAtMs
  }

  /** Healthy while events succeed, and after the start until the first one has had its time. */
  describe(): CheckResult {
    const { intervalMs, timeoutMs } = this.#config
    if (intervalMs === 0) return { status: 'healthy', enabled: false }
    const sinceMs = this.#now() - (this.#lastSuccessMs ?? this.#startedAtMs)
    const isFailing = this.#last?.failure !== undefined || sinceMs > 2 * intervalMs + timeoutMs
    return {
      status: isFailing ? 'degraded' : 'healthy',
      enabled: true,
      last_success: toTime(this.#lastSuccessMs),
      ...(this.#last === undefined ? {} : describeResult(this.#last)),
    }
  }
}

function describeResult({ startedAtMs, hopsMs, failure }: ProbeResult) {
  const { accepted, stored, visible } = hopsMs
  return {
    last_sent: toTime(startedAtMs),
    accepted_ms: accepted ?? null,
    stored_ms: stored ?? null,
    visible_ms: visible ?? null,
    ...(failure === undefined ? {} : { failed_hop: failure.hop, error: failure.reason }),
  }
}

function toTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
