import { AsyncLocalStorage } from 'node:async_hooks'

/** Ids of a request; every line logged inside it carries them. */
export interface LogContext {
  readonly traceId?: string | undefined
  readonly spanId?: string | undefined
  readonly tenant?: string | undefined
  readonly requestId?: string | undefined
  readonly userId?: string | undefined
  readonly sessionId?: string | undefined
}

const storage = new AsyncLocalStorage<LogContext>()

/** Runs `fn`, and everything it awaits, with these ids added to those of the surrounding context. */
export function runWithContext<T>(context: LogContext, fn: () => T): T {
  const outer = storage.getStore()
  return storage.run(outer === undefined ? context : { ...outer, ...context }, fn)
}

/** The ids of the current request, or undefined outside of a request. */
export function currentContext(): LogContext | undefined {
  return storage.getStore()
}
