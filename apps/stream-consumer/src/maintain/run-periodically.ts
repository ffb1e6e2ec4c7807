import type { Logger } from '@millrace/logger'

/** A task that is run again and again, `everyMs` after its last run ended. */
export interface PeriodicTask {
  readonly name: string
  readonly everyMs: number
  readonly run: (signal: AbortSignal) => Promise<unknown>
}

/**
 * Runs a task at once and then periodically. A failure is logged when it is the first in a row, and the task is run again at its time. Returns a
 * function that ends it and resolves when a run in progress has ended.
 */
export function runPeriodically(
  { name, everyMs, run }: PeriodicTask,
  { logger }: { logger: Logger },
): () => Promise<void> {
  const abort = new AbortController()
  let wake: () => void = () => {}
  const loop = async (): Promise<void> => {
    let isFailing = false
    while (!abort.signal.aborted) {
      try {
        await run(abort.signal)
        if (isFailing) logger.info('a periodic task works again', { task: name })
        isFailing = false
      } catch (error) {
        if (!isFailing && !abort.signal.aborted)
          logger.warn('a periodic task failed and will be run again', { task: name, error })
        isFailing = true
      }
      if (abort.signal.aborted) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, everyMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  const ended = loop()
  return async () => {
    abort.abort()
    wake()
    await ended
  }
}
