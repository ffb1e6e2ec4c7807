import { isMillraceError } from '@millrace/contracts'
import type { CheckResult, HealthCheck, HealthStatus } from './health-check.js'

export interface CachedCheckConfig {
  /** How long a result is reused, in ms. */
  readonly cacheMs: number
  readonly timeoutMs: number
  /** The status while the check fails or hangs. Default unhealthy. */
  readonly failedStatus?: HealthStatus
}

/**
 * Runs a check at most once at a time and at most once in `cacheMs`, however many callers there are. Never rejects and never takes longer than
 * `timeoutMs`: a check that hangs counts as failed until it ends, and no second one is started.
 */
export class CachedCheck {
  readonly name: string
  readonly #check: HealthCheck
  readonly #config: CachedCheckConfig
  readonly #now: () => number
  #result: CheckResult | undefined
  #checkedAtMs = Number.NEGATIVE_INFINITY
  #running: Promise<CheckResult> | undefined

  constructor(check: HealthCheck, config: CachedCheckConfig, now: () => number) {
    this.name = check.name
    this.#check = check
    this.#config = config
    this.#now = now
  }

  async result(): Promise<CheckResult> {
    if (this.#result !== undefined && this.#now() - this.#checkedAtMs < this.#config.cacheMs) return this.#result
    this.#running ??= this.#run()
    const { timeoutMs } = this.#config
    const late = this.#failed(`no answer in ${timeoutMs} ms`)
    const result = await withTimeout(this.#running, timeoutMs, late)
    this.#keep(result)
    return result
  }

  /** The result of a run that ended after its time-out is used too, from the moment it ended. */
  async #run(): Promise<CheckResult> {
    try {
      const result = await this.#check.run()
      this.#keep(result)
      return result
    } catch (error) {
      return this.#failed(messageOf(error))
    } finally {
      this.#running = undefined
    }
  }

  #failed(error: string): CheckResult {
    return { status: this.#config.failedStatus ?? 'unhealthy', error }
  }

  #keep(result: CheckResult): void {
    this.#result = result
    this.#checkedAtMs = this.#now()
  }
}

async function withTimeout(running: Promise<CheckResult>, timeoutMs: number, late: CheckResult): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<CheckResult>((resolve) => {
    timer = setTimeout(() => resolve(late), timeoutMs)
  })
  try {
    return await Promise.race([running, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** The text of an error for the health report. */
function messageOf(error: unknown): string {
  if (isMillraceError(error)) return `${error.code}: ${error.message}`
  return error instanceof Error ? error.message : 'unknown error'
}
