import { coreErrors } from '@millrace/contracts'
import { and, type Database, deadLetters, eq, lt, or, sql } from '@millrace/database'
import { consumerErrors } from '../errors.js'
import { DEAD_LETTER, type DeadLetterRow } from './dead-letter-row.js'

/** A replay without a verdict after this time may be started again. */
const REPLAY_LOST_BEFORE = sql`now() - interval '10 minutes'`

/**
 * Moves a pending dead letter of a tenant to `state`. When two calls do it at once, one of them succeeds.
 * @throws DEAD_LETTER_UNKNOWN, DEAD_LETTER_NOT_PENDING
 */
export async function changeDeadLetter(
  database: Database,
  { id, tenantId, state }: { id: string; tenantId: number; state: 'replaying' | 'discarded' },
): Promise<DeadLetterRow> {
  if (!/^\d{1,18}$/.test(id)) throw coreErrors.INVALID_REQUEST({ message: 'the id is not the id of a dead letter' })
  const isTheOne = and(eq(deadLetters.id, Number(id)), eq(deadLetters.tenantId, tenantId))
  const isReplayLost = and(eq(deadLetters.state, 'replaying'), lt(deadLetters.updatedAt, REPLAY_LOST_BEFORE))
  const [changed] = await database.drizzle
    .update(deadLetters)
    .set({ state, updatedAt: sql`now()` })
    .where(and(isTheOne, or(eq(deadLetters.state, 'pending'), isReplayLost)))
    .returning(DEAD_LETTER)
  if (changed !== undefined) return changed
  const [other] = await database.drizzle.select({ state: deadLetters.state }).from(deadLetters).where(isTheOne)
  if (other === undefined) throw consumerErrors.DEAD_LETTER_UNKNOWN()
  throw consumerErrors.DEAD_LETTER_NOT_PENDING({
    message: `the dead letter is ${other.state}`,
    details: { state: other.state },
  })
}
