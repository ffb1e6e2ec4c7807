import type { Logger } from '@millrace/logger'

/** Name, period and work of a periodic task. */
export interface PeriodicTaskConfig {
  /** Names the task in log lines. */
  readonly name: string
  /** Time from the end of one run to the beginning of the next, in ms. */
  readonly periodMs: number
  /** Whether the first run begins at once; otherwise it begins after one period. Default true. */
  readonly runsAtStart?: boolean
  /** Whether the work runs once more when the task stops, for results that must not be left unwritten. Default false. */
  readonly runsAtEnd?: boolean
}

/** `signal` is aborted when the task stops, except in the run at the end. */
export type PeriodicWork = (signal: AbortSignal) => unknown

/** Work that runs again and again until the service stops. */
export interface PeriodicTask {
  /**
   * Begins the next run before its period is over. Runs still never overlap, and the task first rests for as long as its last run took, so many
   * calls cannot keep it busy for more than half of the time.
   */
  runSoon(): void
}

/**
 * Runs `work` again and again, one run at a time. When a run fails, the next one comes after the period all the same; the first failure in a row
 * and the recovery are logged. The returned stop waits for the run in progress and the one at the end, as long as its budget lasts.
 */
export function startPeriodicTask(
  config: PeriodicTaskConfig,
  work: PeriodicWork,
  { logger }: { readonly logger: Logger },
): readonly [task: PeriodicTask, stop: (budgetMs?: number) => Promise<void>] {
  const task = new RunningTask(config, work, logger)
  return [task, (budgetMs) => task.stop(budgetMs)]
}

/** How long a stop without a budget waits for the run in progress, in ms. */
const STOP_MS = 60_000

class RunningTask implements PeriodicTask {
  readonly #config: PeriodicTaskConfig
  readonly #work: PeriodicWork
  readonly #logger: Logger
  readonly #stopping = new AbortController()
  readonly #ended: Promise<void>
  #isWanted = false
  #isFailing = false
  #wake: () => void = () => undefined

  constructor(config: PeriodicTaskConfig, work: PeriodicWork, logger: Logger) {
    this.#config = config
    this.#work = work
    this.#logger = logger
    this.#ended = this.#loop()
  }

  runSoon(): void {
    this.#isWanted = true
    this.#wake()
  }

  async stop(budgetMs = STOP_MS): Promise<void> {
    this.#stopping.abort()
    this.#wake()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), budgetMs)
    })
    const outcome = await Promise.race([this.#finish(), late])
    clearTimeout(timer)
    if (outcome === 'late')
      this.#logger.warn('a periodic task did not end in time', { task: this.#config.name, timeout_ms: budgetMs })
  }

  async #finish(): Promise<void> {
    await this.#ended
    if (this.#config.runsAtEnd === true) await this.#run(new AbortController().signal)
  }

  /** One async function, so that every run has the async context of the start and not that of a caller of `runSoon`. */
  async #loop(): Promise<void> {
    const { periodMs, runsAtStart = true } = this.#config
    const { signal } = this.#stopping
    if (!runsAtStart) await this.#sleep(periodMs, () => this.#isWanted)
    while (!signal.aborted) {
      this.#isWanted = false
      const startedAt = performance.now()
      await this.#run(signal)
      const endedAt = performance.now()
      await this.#sleep(periodMs, () => this.#isWanted)
      const restMs = endedAt + Math.min(endedAt - startedAt, periodMs) - performance.now()
      await this.#sleep(restMs, () => false)
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { name: task } = this.#config
    try {
      await this.#work(signal)
      if (this.#isFailing) this.#logger.info('a periodic task works again', { task })
      this.#isFailing = false
    } catch (error) {
      // Work that the stop cut short has not failed.
      if (signal.aborted) return
      if (!this.#isFailing) this.#logger.warn('a periodic task failed; it runs again after its period', { task, error })
      this.#isFailing = true
    }
  }

  /** Ends early when the task stops or `isOver` becomes true, which `#wake` makes it look at. */
  async #sleep(ms: number, isOver: () => boolean): Promise<void> {
    if (ms <= 0 || isOver() || this.#stopping.signal.aborted) return
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.#wake = () => undefined
        resolve()
      }
      const timer = setTimeout(end, ms)
      this.#wake = () => {
        if (isOver() || this.#stopping.signal.aborted) end()
      }
    })
  }
}
