import { coreErrors, type ListDeadLettersRequest, type ListDeadLettersResponse } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import { type CallContext, tenantOf } from '@millrace/service'
import { DEAD_LETTER_COLUMNS, type DeadLetterRow, toDeadLetter } from './dead-letter-row.js'

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1000

/** Dead letters of the caller's tenant, newest first; the cursor is the last id of the page before. */
export function createListDeadLetters({ database }: { database: Database }) {
  return async ({ limit, cursor }: ListDeadLettersRequest, call: CallContext): Promise<ListDeadLettersResponse> => {
    if (cursor !== '' && !/^\d{1,18}$/.test(cursor))
      throw coreErrors.INVALID_REQUEST({ message: 'this is not a cursor' })
    const pageSize = Math.min(limit || LIMIT_DEFAULT, LIMIT_MAX)
    const { rows } = await database.query<DeadLetterRow>(
      `select ${DEAD_LETTER_COLUMNS} from dead_letters where tenant_id = $1 and ($2::bigint is null or id < $2) order by id desc limit $3`,
      [tenantOf(call), cursor === '' ? null : cursor, pageSize + 1],
    )
    const page = rows.slice(0, pageSize)
    return {
      deadLetters: page.map(toDeadLetter),
      nextCursor: rows.length > pageSize ? String(page.at(-1)?.id ?? '') : '',
    }
  }
}
