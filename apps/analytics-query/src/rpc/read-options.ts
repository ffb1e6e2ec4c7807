import type { CallContext } from '@millrace/service'
import type { ReadOptions } from '../reads/snapshot.js'

/** A call's reads end with it: they leave the queue, or their statement is ended at the server. */
export function readOptionsOf(
  call: Pick<CallContext, 'signal' | 'deadline'>,
  request: { readonly minWatermark?: Date | undefined } = {},
): ReadOptions {
  return {
    signal: call.signal,
    deadlineMs: call.deadline?.getTime(),
    minWatermarkMs: request.minWatermark?.getTime(),
  }
}
