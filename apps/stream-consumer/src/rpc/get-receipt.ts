import { decodeReceipt, type GetReceiptRequest, type GetReceiptResponse, MINUTE_MS } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import { type CallContext, tenantOf } from '@millrace/service'
import { consumerErrors } from '../errors.js'
import type { CommitWatch } from '../live/commit-watch.js'
import { readReceipt } from './receipt-state.js'

/** Notices can be lost; then the journal is asked again after so long. */
const ASK_AGAIN_MS = 500
const WAIT_MS_MAX = MINUTE_MS

/** Answers where the records of a receipt are; waits for them to settle if asked to. */
export function createGetReceipt(
  config: { stream: string },
  { database, commitWatch }: { database: Database; commitWatch: CommitWatch },
): (request: GetReceiptRequest, call: CallContext) => Promise<GetReceiptResponse> {
  return async ({ receipt: text, waitMs }, call) => {
    const receipt = decodeReceipt(text)
    // Another tenant's receipt is not known to this one, and that is all it learns.
    if (receipt.tenantId !== tenantOf(call)) throw consumerErrors.RECEIPT_UNKNOWN()
    const untilMs = performance.now() + Math.min(waitMs, WAIT_MS_MAX)
    for (;;) {
      // Watched before it is read, so that a commit in between is not missed.
      const watched = commitWatch.watch(receipt.producer, receipt.frames)
      try {
        const response = await readReceipt(database, config.stream, receipt)
        const leftMs = untilMs - performance.now()
        if (response.state === 'settled' || leftMs <= 0 || call.signal.aborted) return response
        await firstOf(watched.committed, Math.min(leftMs, ASK_AGAIN_MS), call.signal)
      } finally {
        watched.end()
      }
    }
  }
}

/** Resolves when `promise` does, after `ms`, or when the call is given up. */
function firstOf(promise: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener('abort', finish)
    void promise.then(finish)
  })
}
