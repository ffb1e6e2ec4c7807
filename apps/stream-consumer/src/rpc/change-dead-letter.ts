import { coreErrors } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import { consumerErrors } from '../errors.js'
import { DEAD_LETTER_COLUMNS, type DeadLetterRow } from './dead-letter-row.js'

/** A replay without a verdict after this time may be started again. */
const REPLAY_LOST_AFTER = '10 minutes'

/**
 * Moves a pending dead letter of a tenant to `state`. When two calls do it at once, one of them succeeds.
 * @throws DEAD_LETTER_UNKNOWN, DEAD_LETTER_NOT_PENDING
 */
export async function changeDeadLetter(
  database: Database,
  { id, tenantId, state }: { id: string; tenantId: number; state: 'replaying' | 'discarded' },
): Promise<DeadLetterRow> {
  if (!/^\d{1,18}$/.test(id)) throw coreErrors.INVALID_REQUEST({ message: 'the id is not the id of a dead letter' })
  const { rows } = await database.query<DeadLetterRow>(
    `update dead_letters set state = $3, updated_at = now() where id = $1 and tenant_id = $2
       and (state = 'pending' or (state = 'replaying' and updated_at < now() - interval '${REPLAY_LOST_AFTER}')) returning ${DEAD_LETTER_COLUMNS}`,
    [id, tenantId, state],
  )
  if (rows[0] !== undefined) return rows[0]
  const { rows: others } = await database.query<{ state: string }>(
    'select state from dead_letters where id = $1 and tenant_id = $2',
    [id, tenantId],
  )
  if (others[0] === undefined) throw consumerErrors.DEAD_LETTER_UNKNOWN()
  throw consumerErrors.DEAD_LETTER_NOT_PENDING({
    message: `the dead letter is ${others[0].state}`,
    details: { state: others[0].state },
  })
}
