/**
 * Settles like `promise`, or rejects with the signal's reason if the signal is aborted first. The listener is removed in any case, so many waits on one
 * long-lived signal do not accumulate memory, as they would with `Promise.race` and a shared promise.
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
