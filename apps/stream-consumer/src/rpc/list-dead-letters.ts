import type { ListDeadLettersRequest, ListDeadLettersResponse } from '@millrace/contracts'
import { and, type Database, deadLetters, desc, eq, lt } from '@millrace/database'
import { bindCursor, type CursorValue, decodePosition, encodePosition, unbindCursor } from '@millrace/pagination'
import { type CallContext, tenantOf } from '@millrace/service'
import { DEAD_LETTER, toDeadLetter } from './dead-letter-row.js'

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1000
/** The list takes no filters, so all its cursors belong to one query. */
const QUERY = 'dead_letters'

/** Lists the dead letters of the caller's tenant, newest first. */
export function createListDeadLetters({ database }: { database: Database }) {
  return async ({ limit, cursor }: ListDeadLettersRequest, call: CallContext): Promise<ListDeadLettersResponse> => {
    const [after] = decodePosition(unbindCursor(cursor, QUERY), isId) ?? [null]
    const pageSize = Math.min(limit || LIMIT_DEFAULT, LIMIT_MAX)
    const isAfter = after === null ? undefined : lt(deadLetters.id, Number(after))
    const rows = await database.drizzle
      .select(DEAD_LETTER)
      .from(deadLetters)
      .where(and(eq(deadLetters.tenantId, tenantOf(call)), isAfter))
      .orderBy(desc(deadLetters.id))
      .limit(pageSize + 1)
    const page = rows.slice(0, pageSize)
    const last = page.at(-1)
    const position = last === undefined || rows.length <= pageSize ? '' : encodePosition([String(last.id)])
    return { deadLetters: page.map(toDeadLetter), nextCursor: bindCursor(position, QUERY) }
  }
}

function isId(values: readonly CursorValue[]): values is readonly [string] {
  const [id, ...others] = values
  return others.length === 0 && typeof id === 'string' && /^\d{1,18}$/.test(id)
}
