import type { CallContext } from '@millrace/service'
import type { ReadOptions } from '../reads/snapshot.js'

/** Reads end with their call: they leave the queue, or their statement is cancelled at the server. */
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
