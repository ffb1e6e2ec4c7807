/** The clock of the cache; tests hand in one that they control. */
export interface Clock {
  /** Wall clock, ms since 1970; only returned to callers, never compared. */
  wallMs(): number
  /** Monotonic clock in ms, for all lifetimes. */
  monotonicMs(): number
  /**
   * Runs `task` once after `delayMs`; the returned function cancels it. A `background` task does not keep the process alive.
   */
  schedule(delayMs: number, task: () => void, kind?: 'background'): () => void
  /** Resolves after all work that can run now, so that background work does not delay callers. */
  turn(): Promise<void>
}

/** 24.8 days: Node treats a longer delay as 1 ms. */
const timerMsMax = 2 ** 31 - 1

/** The clocks and timers of the process. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(delayMs, task, kind) {
    const timer = setTimeout(task, Math.min(delayMs, timerMsMax))
    if (kind === 'background') timer.unref()
    return () => clearTimeout(timer)
  },
  turn: () =>
    new Promise((resolve) => {
      setImmediate(resolve)
    }),
}

/** Resolves after `delayMs` by the given clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(delayMs, resolve)
  })
}

/** Returns the result of `work`, or of `late` if `limitMs` pass first; the later result of `work` is then ignored. */
export function withLimit<T, L>(clock: Clock, limitMs: number, work: Promise<T>, late: () => L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(limitMs, () => {
      try {
        resolve(late())
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    })
    work.then(resolve, reject).finally(cancel)
  })
}
