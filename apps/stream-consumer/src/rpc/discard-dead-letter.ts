import type { DiscardDeadLetterRequest, DiscardDeadLetterResponse } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import { type CallContext, tenantOf } from '@millrace/service'
import { changeDeadLetter } from './change-dead-letter.js'
import { toDeadLetter } from './dead-letter-row.js'

/** Marks a dead letter as discarded. The ledger still counts it as dead-lettered. */
export function createDiscardDeadLetter({ database }: { database: Database }) {
  return async ({ id }: DiscardDeadLetterRequest, call: CallContext): Promise<DiscardDeadLetterResponse> => {
    return {
      deadLetter: toDeadLetter(await changeDeadLetter(database, { id, tenantId: tenantOf(call), state: 'discarded' })),
    }
  }
}
