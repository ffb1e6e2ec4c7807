/** Time as the cache sees it, handed in so that tests can move it. */
export interface Clock {
  /** Wall clock in ms since 1970; only shown to callers, never compared. */
  wallMs(): number
  /** Never goes backwards; every lifetime is measured by it. */
  monotonicMs(): number
  /**
   * Runs `task` once after `delayMs`; the returned function takes that back. A `background` task does not keep the process alive.
   */
  schedule(delayMs: number, task: () => void, kind?: 'background'): () => void
  /** Resolves once all that can run now has run, so that what nobody waits for does not hold up what somebody does. */
  turn(): Promise<void>
}

/** 24.8 days: Node takes anything longer for 1 ms. */
const timerMsMax = 2 ** 31 - 1

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

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(delayMs, resolve)
  })
}

/** What `work` gives, or what `late` gives when `limitMs` are over first. `work` goes on and its outcome is then nobody's. */
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
