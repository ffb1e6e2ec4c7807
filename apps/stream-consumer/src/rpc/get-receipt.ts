import { decodeReceipt, type GetReceiptRequest, type GetReceiptResponse, MINUTE_MS } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import { type CallContext, tenantOf } from '@millrace/service'
import { consumerErrors } from '../errors.js'
import type { CommitWatch } from '../live/commit-watch.js'
import { readReceipt } from './receipt-state.js'

/** Notices may be lost, so the journal is read again at this interval. */
const ASK_AGAIN_MS = 500
const WAIT_MS_MAX = MINUTE_MS

/** Answers what became of the records of a receipt. With `waitMs`, waits until all of them have a verdict. */
export function createGetReceipt(
  config: { stream: string },
  { database, commitWatch }: { database: Database; commitWatch: CommitWatch },
): (request: GetReceiptRequest, call: CallContext) => Promise<GetReceiptResponse> {
  return async ({ receipt: text, waitMs }, call) => {
    const receipt = decodeReceipt(text)
    // The answer does not reveal that another tenant has this receipt.
    if (receipt.tenantId !== tenantOf(call)) throw consumerErrors.RECEIPT_UNKNOWN()
    const untilMs = performance.now() + Math.min(waitMs, WAIT_MS_MAX)
    for (;;) {
      // Watches before reading, so that a commit in between is noticed.
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

/** Resolves with `promise`, after `ms`, or when `signal` aborts. */
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
