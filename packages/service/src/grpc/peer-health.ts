import { type Client, status as grpcStatus, Metadata } from '@grpc/grpc-js'
import { coreErrors, isMillraceError, type MillraceError } from '@millrace/contracts'
import { hasOwnCode } from './status-mapping.js'

const PROBE_MS = 1000

/**
 * Which failed calls say that the peer itself is ill: it was not reached, it is shutting down, or it was silent until the deadline. Whatever it answered,
 * INTERNAL too, is an answer: it tells of one request, and a peer that answers everybody else must not be kept from them because of the requests of one.
 * So does a deadline that passed while the peer answered other calls. Envoy draws the same line between errors of its own connection and those that come
 * from upstream (outlier detection, split_external_local_origin_errors).
 */
export class PeerHealth {
  readonly #now: () => number
  /** Deadlines that passed while the peer answered others. */
  readonly #excused = new WeakSet<object>()
  #heardAt = Number.NEGATIVE_INFINITY

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor({ now = () => performance.now() }: { readonly now?: () => number } = {}) {
    this.#now = now
  }

  /** Of a call that begins. Returns what to tell of its end, before its caller hears of it: the error, or undefined. */
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

/** The error comes from the transport and not from the peer; a call that its caller gave up says nothing of it. */
function isSilence(error: MillraceError): boolean {
  return error.kind === 'unavailable' && !hasOwnCode(error) && !coreErrors.CALL_CANCELLED.matches(error)
}

/** Resolves when a peer that did not answer answers again, whatever it says. */
export function probePeer(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    // grpc.health.v1 with an empty name: the server as a whole.
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      () => Buffer.alloc(0),
      () => undefined,
      undefined,
      new Metadata({ waitForReady: true }),
      { deadline: Date.now() + PROBE_MS },
      (error) => {
        const isSilent = error?.code === grpcStatus.UNAVAILABLE || error?.code === grpcStatus.DEADLINE_EXCEEDED
        if (isSilent) reject(error)
        else resolve()
      },
    )
  })
}
