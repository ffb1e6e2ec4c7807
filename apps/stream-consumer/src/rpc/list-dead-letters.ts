import type { ListDeadLettersRequest, ListDeadLettersResponse } from '@millrace/contracts'
import { and, type Database, deadLetters, desc, eq, inArray, lt, sql } from '@millrace/database'
import {
  bindCursor,
  type CursorValue,
  decodePosition,
  encodePosition,
  PAGE_BYTES_MAX,
  unbindCursor,
} from '@millrace/pagination'
import { type CallContext, tenantOf } from '@millrace/service'
import { DEAD_LETTER, toDeadLetter } from './dead-letter-row.js'

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1000
/** The list takes no filters, so all its cursors belong to one query. */
const QUERY = 'dead_letters'

/** What decides how many dead letters a page has. */
interface Size {
  readonly id: number
  readonly bytes: number
}

/** Lists the dead letters of the caller's tenant, newest first. A page has at most PAGE_BYTES_MAX of records, but at least one. */
export function createListDeadLetters({ database }: { database: Database }) {
  return async ({ limit, cursor }: ListDeadLettersRequest, call: CallContext): Promise<ListDeadLettersResponse> => {
    const [after] = decodePosition(unbindCursor(cursor, QUERY), isId) ?? [null]
    const pageSize = Math.min(limit || LIMIT_DEFAULT, LIMIT_MAX)
    const isAfter = after === null ? undefined : lt(deadLetters.id, Number(after))
    // PostgreSQL knows the size of a record without reading it.
    const sizes = await database.drizzle
      .select({ id: deadLetters.id, bytes: sql<number>`octet_length(${deadLetters.record})` })
      .from(deadLetters)
      .where(and(eq(deadLetters.tenantId, tenantOf(call)), isAfter))
      .orderBy(desc(deadLetters.id))
      .limit(pageSize + 1)
    const ids = sizes.slice(0, countFitting(sizes, pageSize)).map(({ id }) => id)
    const page = await database.drizzle
      .select(DEAD_LETTER)
      .from(deadLetters)
      .where(and(eq(deadLetters.tenantId, tenantOf(call)), inArray(deadLetters.id, ids)))
      .orderBy(desc(deadLetters.id))
    const last = ids.at(-1)
    const position = last === undefined || sizes.length <= ids.length ? '' : encodePosition([String(last)])
    return { deadLetters: page.map(toDeadLetter), nextCursor: bindCursor(position, QUERY) }
  }
}

function countFitting(sizes: readonly Size[], pageSize: number): number {
  let bytes = 0
  const fitting = sizes.slice(0, pageSize).findIndex((size) => {
    bytes += size.bytes
    return bytes > PAGE_BYTES_MAX
  })
  return fitting < 0 ? pageSize : Math.max(1, fitting)
}

function isId(values: readonly CursorValue[]): values is readonly [string] {
  const [id, ...others] = values
  return others.length === 0 && typeof id === 'string' && /^\d{1,18}$/.test(id)
}
