import { coreErrors } from '@millrace/contracts'
import { TaskCancelledError, TimeoutStrategy, timeout } from 'cockatiel'

export interface TimeoutConfig {
  /** Name of the dependency, for the message. */
  readonly name: string
  readonly timeoutMs: number
}

export interface Timeout {
  /** Rejects with DEPENDENCY_TIMEOUT after the time limit and aborts the signal that `fn` got; the caller's signal aborts it too. */
  execute<T>(fn: (context: { readonly signal: AbortSignal }) => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function createTimeout({ name, timeoutMs }: TimeoutConfig): Timeout {
  const cockatiel = timeout(timeoutMs, { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false })
  return {
    async execute(fn, signal) {
      signal?.throwIfAborted()
      try {
        return await cockatiel.execute(({ signal: inner }) => fn({ signal: inner }), signal)
      } catch (error) {
        // isTaskCancelledError of cockatiel 3.2.1 checks for another class of error by mistake.
        if (!(error instanceof TaskCancelledError)) throw error
        signal?.throwIfAborted()
        throw coreErrors.DEPENDENCY_TIMEOUT({
          message: `${name} did not answer in ${timeoutMs} ms`,
          cause: error,
          details: { dependency: name },
        })
      }
    },
  }
}
