import { setTimeout as delay } from 'node:timers/promises'
import { isMillraceError } from '@millrace/contracts'
import type { RootLogger } from '@millrace/logger'
import { createMetrics, type Metrics, type Tracer } from '@millrace/telemetry'
import type { z } from 'zod'
import { startAdminServer } from './admin/admin-server.js'
import type { Environment } from './config/parse-config.js'
import type { serviceSettings } from './config/service-settings.js'
import type { Lifecycle } from './lifecycle/lifecycle.js'
import { Parts } from './lifecycle/parts.js'
import { startPeriodicTask } from './lifecycle/periodic-task.js'
import { Readiness } from './lifecycle/readiness.js'
import { serviceErrors } from './lifecycle/service-errors.js'

type Settings = ReturnType<typeof serviceSettings>
/** The values of `serviceSettings`. */
export type ServiceConfig = { readonly [Name in keyof Settings]: z.output<Settings[Name]> }

/** The parts of the process that `runService` uses; replaced in tests. */
export interface ServiceHost {
  readonly env: Environment
  on(event: 'SIGTERM' | 'SIGINT', listener: () => void): void
  on(event: 'uncaughtException' | 'unhandledRejection', listener: (error: unknown) => void): void
  exit(code: number): void
  printError(text: string): void
  /** Called every few seconds while the service runs, to give unused memory back. */
  readonly returnMemory?: () => void
  /** Where log lines go; undefined is standard output. */
  readonly writeLog?: (lines: string) => void
}

interface RunningServiceOptions {
  readonly name: string
  readonly settings: ServiceConfig
  readonly host: ServiceHost
  readonly logger: RootLogger
  readonly tracer: Tracer
}

/** Part of SHUTDOWN_TIMEOUT_MS that is kept for the export of traces, in ms; a tenth of the time-out if that is less. */
const TRACER_MS = 2000
const RETURN_MEMORY_MS = 5000

/** A service from its configuration to its exit code. It ends once, however many reasons there are. */
export class RunningService {
  readonly #options: RunningServiceOptions
  readonly #metrics: Metrics
  readonly #parts: Parts
  readonly #readiness = new Readiness()
  readonly #stopping = new AbortController()
  readonly #delayEnd = new AbortController()
  #exitCode = 0
  #phase: 'starting' | 'running' | 'stopping' = 'starting'

  constructor(options: RunningServiceOptions) {
    this.#options = options
    this.#metrics = createMetrics({ service: options.name })
    this.#parts = new Parts(options.logger)
  }

  async start(run: (lifecycle: Lifecycle) => Promise<void>): Promise<void> {
    const { host, logger } = this.#options
    const startedAt = performance.now()
    host.on('SIGTERM', () => void this.#end(0, 'SIGTERM'))
    host.on('SIGINT', () => void this.#end(0, 'SIGINT'))
    host.on('uncaughtException', (error) => this.#fail('an error was thrown and not caught', error))
    host.on('unhandledRejection', (error) => this.#fail('a promise was rejected and not handled', error))
    try {
      await this.#startAdmin()
      await run(this.#lifecycle())
    } catch (error) {
      // A signal that arrives during the start stops it; that is no failure.
      if (this.#phase === 'stopping' && serviceErrors.STOPPING.matches(error)) return
      return await this.#failStart(error)
    }
    if (this.#phase !== 'starting') return
    await this.#startReturningMemory()
    this.#phase = 'running'
    logger.info('the service is running', {
      start_ms: Math.round(performance.now() - startedAt),
      admin_port: this.#options.settings.ADMIN_PORT,
    })
  }

  #lifecycle(): Lifecycle {
    return {
      service: this.#options.name,
      logger: this.#options.logger,
      metrics: this.#metrics,
      tracer: this.#options.tracer,
      stopping: this.#stopping.signal,
      start: (name, fn) => this.#parts.start(name, fn),
      every: (name, periodMs, work, options) =>
        this.#parts.start(name, () => startPeriodicTask({ name, periodMs, ...options }, work, this.#options)),
      ready: (name, check) => this.#readiness.add(name, check),
      fail: (error) => this.#fail('a part of the service failed', error),
    }
  }

  async #startAdmin(): Promise<void> {
    const { settings, logger } = this.#options
    const config = {
      host: settings.ADMIN_HOST,
      port: settings.ADMIN_PORT,
      token: settings.ADMIN_TOKEN,
      isProduction: settings.NODE_ENV === 'production',
    }
    await this.#parts.start('admin server', () =>
      startAdminServer(config, {
        logger,
        metrics: this.#metrics,
        readiness: () => this.#readiness.report(),
        phase: () => this.#phase,
      }),
    )
  }

  async #startReturningMemory(): Promise<void> {
    const { returnMemory } = this.#options.host
    if (returnMemory === undefined) return
    const config = { name: 'unused memory', periodMs: RETURN_MEMORY_MS, runsAtStart: false }
    await this.#parts.start(config.name, () => startPeriodicTask(config, () => returnMemory(), this.#options))
  }

  async #failStart(error: unknown): Promise<void> {
    const { host, name, logger } = this.#options
    // The sentence says it all, to programs in the log and to a person at the terminal. Only of a bug it matters where it was thrown.
    const isExpected = isMillraceError(error) && error.kind !== 'internal'
    logger.fatal('the service could not start', isExpected ? { code: error.code, reason: error.message } : { error })
    if (error instanceof Error) host.printError(`${name}: ${error.message}\n`)
    await this.#end(1, 'failed start')
  }

  #fail(message: string, error: unknown): void {
    this.#options.logger.fatal(message, { error })
    void this.#end(1, message)
  }

  /** Stops the service. Called again while it stops, it skips the rest of the delay, and a failure still makes the exit code 1. */
  async #end(code: number, reason: string): Promise<void> {
    const phase = this.#phase
    this.#exitCode = Math.max(this.#exitCode, code)
    this.#phase = 'stopping'
    if (phase === 'stopping' || code !== 0) this.#delayEnd.abort()
    if (phase === 'stopping') return
    const { host, logger, settings } = this.#options
    logger.info('the service is stopping', { reason })
    if (phase === 'running') await this.#delay(settings.SHUTDOWN_DELAY_MS)
    this.#stopping.abort()
    const isClean = await this.#stopParts(settings.SHUTDOWN_TIMEOUT_MS)
    if (isClean) logger.info('the service has stopped', { reason })
    logger.close()
    host.exit(isClean ? this.#exitCode : 1)
  }

  /** `/ready` answers 503 meanwhile and everything else works, until load balancers send no more requests. */
  async #delay(ms: number): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal: this.#delayEnd.signal }).catch(() => undefined)
  }

  /** Stops the parts, then the tracer, both within `timeoutMs`. Resolves with whether all of them stopped in order and in time. */
  async #stopParts(timeoutMs: number): Promise<boolean> {
    const { logger, tracer } = this.#options
    const deadline = performance.now() + timeoutMs
    const partsMs = tracer.isOn ? timeoutMs - Math.min(TRACER_MS, timeoutMs / 10) : timeoutMs
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), partsMs)
    })
    const outcome = await Promise.race([this.#parts.stop(partsMs), late])
    clearTimeout(timer)
    await tracer.close(Math.max(0, deadline - performance.now()))
    if (outcome === 'late')
      logger.error('the service did not stop in time', { part: this.#parts.current, timeout_ms: timeoutMs })
    return outcome !== 'late' && outcome.length === 0
  }
}
