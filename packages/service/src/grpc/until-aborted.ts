/**
 * The promise, or a rejection with the signal's reason when that comes first. The listener is taken off again, so waiting many times on one
 * long-lived signal does not pile up memory, as `Promise.race` with a shared promise does.
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
