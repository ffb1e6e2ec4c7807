import { coreErrors, isMillraceError, type MillraceError } from '@millrace/contracts'
import { hasOwnCode } from './status-mapping.js'

/**
 * Decides which failed calls count as failures of the peer: it cannot be reached, it is shutting down, or it did not answer anything until the deadline.
 * An error that the peer sent, also INTERNAL, concerns one request; it must not block the peer for all other requests. The same holds for a deadline
 * that passed while the peer answered other calls. Envoy distinguishes errors of the connection and of the upstream in the same way (outlier
 * detection, split_external_local_origin_errors).
 */
export class PeerHealth {
  readonly #now: () => number
  /** Errors of deadlines that passed while the peer answered other calls. */
  readonly #excused = new WeakSet<object>()
  #heardAt = Number.NEGATIVE_INFINITY

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor({ now = () => performance.now() }: { readonly now?: () => number } = {}) {
    this.#now = now
  }

  /** Call it when a call begins; call the returned function with the call's error, if any, before the caller gets the result. */
  begin(): (error?: MillraceError) => void {
    const startedAt = this.#now()
    return (error) => {
      if (error === undefined || !isSilence(error)) this.#heardAt = this.#now()
      else if (coreErrors.DEADLINE_EXCEEDED.matches(error) && this.#heardAt >= startedAt) this.#excused.add(error)
    }
  }

  isFailure(error: unknown): boolean {
    if (!isMillraceError(error)) return false
    return (isSilence(error) || coreErrors.SHUTTING_DOWN.matches(error)) && !this.#excused.has(error)
  }
}

/** Whether the error comes from the transport and not from the peer. A cancelled call says nothing about the peer. */
export function isSilence(error: MillraceError): boolean {
  return error.kind === 'unavailable' && !hasOwnCode(error) && !coreErrors.CALL_CANCELLED.matches(error)
}
