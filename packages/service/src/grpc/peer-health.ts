import { type Client, status as grpcStatus, Metadata } from '@grpc/grpc-js'
import { coreErrors, isMillraceError } from '@millrace/contracts'
import { hasOwnCode } from './status-mapping.js'

const PROBE_MS = 1000

/**
 * Whether an error of a call says that the peer itself is ill: not reached, no answer in time, or broken inside. What it answered with a code of its
 * own about something else, such as its database, is an answer.
 */
export function isPeerFailure(error: unknown): boolean {
  if (!isMillraceError(error)) return !(error instanceof Error && error.name === 'AbortError')
  if (error.kind === 'internal' || coreErrors.SHUTTING_DOWN.matches(error)) return true
  return error.kind === 'unavailable' && !hasOwnCode(error) && !coreErrors.CALL_CANCELLED.matches(error)
}

/** Resolves when a peer that did not answer (`failure`) answers again, whatever it says. One that is broken inside has to wait. */
export function probePeer(client: Client, failure: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    if (isMillraceError(failure) && failure.kind === 'internal') return reject(failure)
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
