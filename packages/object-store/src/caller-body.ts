import type { ObjectBody } from './object-store.js'

/** Carries an error of the caller's body through a driver, which would otherwise take it for one of its own. */
export class CallerBodyError extends Error {
  override readonly name = 'CallerBodyError'
  readonly reason: unknown

  constructor(reason: unknown) {
    super('the body of the object failed', { cause: reason })
    this.reason = reason
  }
}

/** The pieces of a body. @throws CallerBodyError for an error of the body; the reason of the signal once it is aborted. */
export async function* readBody(body: ObjectBody, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) {
    yield body
    return
  }
  const pieces = body[Symbol.asyncIterator]()
  let isEnded = false
  try {
    for (;;) {
      signal?.throwIfAborted()
      const next = await abortable(pieces.next(), signal).catch((reason: unknown) => {
        if (signal?.aborted === true) throw signal.reason
        isEnded = true
        throw new CallerBodyError(reason)
      })
      if (next.done === true) {
        isEnded = true
        return
      }
      yield next.value
    }
  } finally {
    // Not awaited: a body that hangs would also hang its end.
    if (!isEnded) pieces.return?.().catch(() => undefined)
  }
}

/** A body that never gives its next piece must not keep the call from ending. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
