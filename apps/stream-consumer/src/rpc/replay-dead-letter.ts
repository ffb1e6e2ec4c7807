import type { ReplayDeadLetterRequest, ReplayDeadLetterResponse } from '@millrace/contracts'
import { and, type Database, deadLetters, eq, sql } from '@millrace/database'
import { type CallContext, tenantOf } from '@millrace/service'
import type { Producer } from '@millrace/streams'
import { consumerErrors } from '../errors.js'
import { changeDeadLetter } from './change-dead-letter.js'
import { type DeadLetterRow, toDeadLetter } from './dead-letter-row.js'
import type { ReplayBatch } from './replay-batch.js'

/**
 * Sends a dead letter to its partition of the stream again. The consumer that reads it writes the result: replayed,
 * or pending again with a new reason.
 */
export function createReplayDeadLetter({
  database,
  producer,
}: {
  database: Database
  producer: Producer<ReplayBatch>
}) {
  // Replays one at a time, since a batch holds one record.
  let last: Promise<unknown> = Promise.resolve()
  return async ({ id }: ReplayDeadLetterRequest, call: CallContext): Promise<ReplayDeadLetterResponse> => {
    const row = await changeDeadLetter(database, { id, tenantId: tenantOf(call), state: 'replaying' })
    const sent = last.then(() => append({ database, producer }, row))
    last = sent.catch(() => undefined)
    await sent
    return { deadLetter: toDeadLetter(row) }
  }
}

async function append(
  { database, producer }: { database: Database; producer: Producer<ReplayBatch> },
  row: DeadLetterRow,
): Promise<void> {
  let appended: Promise<unknown>
  try {
    const batch = producer.open(row.partition)
    batch.builder.set(row.record)
    appended = batch.appended
  } catch (error) {
    // Nothing was sent, so it may be replayed again at once.
    await database.drizzle
      .update(deadLetters)
      .set({ state: 'pending', updatedAt: sql`now()` })
      .where(and(eq(deadLetters.id, row.id), eq(deadLetters.state, 'replaying')))
    throw error
  }
  try {
    await appended
  } catch (cause) {
    throw consumerErrors.REPLAY_UNCERTAIN({ cause })
  }
}
