import { AsyncLocalStorage } from 'node:async_hooks'

/** Ids that every line written inside a request carries. */
export interface LogContext {
  readonly traceId?: string | undefined
  readonly spanId?: string | undefined
  readonly tenant?: string | undefined
  readonly requestId?: string | undefined
  readonly userId?: string | undefined
}

const storage = new AsyncLocalStorage<LogContext>()

/** Runs `fn`, and everything it awaits, with these ids; ids of an outer context that are not named stay. */
export function runWithContext<T>(context: LogContext, fn: () => T): T {
  const outer = storage.getStore()
  return storage.run(outer === undefined ? context : { ...outer, ...context }, fn)
}

/** The ids of the running request, or undefined outside of one. */
export function currentContext(): LogContext | undefined {
  return storage.getStore()
}
