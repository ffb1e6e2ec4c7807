import type { Principal } from '@millrace/auth'
import type { ConsumerServiceService } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { Calls } from '@millrace/service'
import { onBehalfOf } from '../api/api-deps.js'
import type { Outcome } from '../wires/response-form.js'

/**
 * Waits up to `waitMs` until the records of a receipt are settled and returns their counts. Returns undefined when stream-consumer cannot be
 * reached: the events are accepted all the same, and the client can ask for the receipt later.
 */
export function createAwaitOutcome(
  { waitMs }: { waitMs: number },
  { consumer, logger }: { consumer: Pick<Calls<typeof ConsumerServiceService>, 'getReceipt'>; logger: Logger },
): (receipt: string, principal: Principal) => Promise<Outcome | undefined> {
  return async function awaitOutcome(receipt, principal) {
    try {
      const answer = await consumer.getReceipt(
        { receipt, waitMs },
        { ...onBehalfOf(principal), deadlineMs: waitMs + 2000 },
      )
      return {
        state: answer.state === 'settled' ? 'settled' : 'in_flight',
        stored: Number(answer.stored),
        duplicate: Number(answer.duplicate),
        dead_lettered: Number(answer.deadLettered),
        in_flight: Number(answer.inFlight),
      }
    } catch (error) {
      logger.debug('stream-consumer did not say what became of the records of a request', { error })
      return undefined
    }
  }
}
