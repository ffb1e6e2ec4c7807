import { MillraceError } from './errors.js'

/** Ends a call when its caller aborts it or its time is over. Close it when the call is done, or its timer keeps running. */
export interface Deadline {
  readonly signal: AbortSignal
  /** Remaining milliseconds; Infinity without a limit. */
  leftMs(): number
  /** Starts the time limit again. */
  restart(): void
  close(): void
}

/** Starts a deadline of `timeoutMs` that also ends when `outer` is aborted. The caller must clear it. */
export function startDeadline(timeoutMs: number, outer?: AbortSignal): Deadline {
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let endsAt = Number.POSITIVE_INFINITY
  const onAbort = (): void => controller.abort(outer?.reason)
  const stopTimer = (): void => {
    if (timer !== undefined) clearTimeout(timer)
  }
  const restart = (): void => {
    stopTimer()
    if (!Number.isFinite(timeoutMs)) return
    endsAt = performance.now() + timeoutMs
    timer = setTimeout(() => controller.abort(timedOut(timeoutMs)), timeoutMs)
  }
  if (outer?.aborted === true) onAbort()
  else outer?.addEventListener('abort', onAbort, { once: true })
  restart()
  return {
    signal: controller.signal,
    leftMs: () => endsAt - performance.now(),
    restart,
    close: () => {
      stopTimer()
      outer?.removeEventListener('abort', onAbort)
    },
  }
}

function timedOut(timeoutMs: number): MillraceError {
  return new MillraceError(`the answer was not complete within ${timeoutMs} ms`, {
    code: 'TIMED_OUT',
    status: 0,
    isRetryable: true,
  })
}

/** Resolves after `ms` milliseconds. Rejects with the reason of the signal as soon as that is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error)
      return
    }
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
