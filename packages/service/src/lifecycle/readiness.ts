import { type ErrorDetails, isMillraceError } from '@millrace/contracts'
import type { ReadinessCheck } from './lifecycle.js'

const CACHE_MS = 1_000
const CHECK_TIMEOUT_MS = 2_000

/** The result of one readiness check. */
export interface CheckResult {
  readonly status: 'ok' | 'failing'
  readonly latency_ms: number
  /** The code of the error, or its message. */
  readonly error?: string
  /** Facts of the error, for example which disk is full. */
  readonly details?: ErrorDetails
}

/** Whether the service is ready, with every check. */
export interface ReadinessReport {
  readonly isReady: boolean
  readonly checks: Readonly<Record<string, CheckResult>>
}

/** Runs the registered checks, at most once per second. */
export class Readiness {
  readonly #checks = new Map<string, ReadinessCheck>()
  readonly #now: () => number
  #cached: { readonly at: number; readonly report: Promise<ReadinessReport> } | undefined

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  add(name: string, check: ReadinessCheck): void {
    this.#checks.set(name, check)
    this.#cached = undefined
  }

  report(): Promise<ReadinessReport> {
    const at = this.#now()
    if (this.#cached === undefined || at - this.#cached.at >= CACHE_MS) this.#cached = { at, report: this.#run() }
    return this.#cached.report
  }

  async #run(): Promise<ReadinessReport> {
    const results = await Promise.all(
      [...this.#checks].map(async ([name, check]) => [name, await this.#runOne(check)] as const),
    )
    return { isReady: results.every(([, result]) => result.status === 'ok'), checks: Object.fromEntries(results) }
  }

  async #runOne(check: ReadinessCheck): Promise<CheckResult> {
    const startedAt = this.#now()
    const latency = () => Math.round((this.#now() - startedAt) * 100) / 100
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS)
    })
    try {
      await Promise.race([Promise.resolve().then(check), timeout])
      return { status: 'ok', latency_ms: latency() }
    } catch (error) {
      const details = isMillraceError(error) && error.kind !== 'internal' ? error.details : undefined
      return { status: 'failing', latency_ms: latency(), error: describe(error), ...(details && { details }) }
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The code if the error has one: messages can contain host names, and /ready needs no token. */
function describe(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return typeof code === 'string' ? code : typeof message === 'string' ? message : String(error)
}
