import { findUnstorable, QUERY_LIMITS } from '@millrace/contracts'
import { type CursorValue, decodePosition, encodePosition } from '@millrace/pagination'
import { filterErrors } from '@millrace/query-filters'
import { errors } from '../errors.js'
import { parseLimit } from '../query/parse-cell-query.js'

/** The position of a row in a list, which is ordered by time and then by id, greatest first. */
export interface ListPosition {
  /** Microseconds since 1970. */
  readonly timeUs: number
  readonly id: string
}

/** What all lists have in common. Null for conditions that the request does not have. */
export interface ListQuery {
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly after: ListPosition | null
  readonly limit: number
}

/** The times of a request that PostgreSQL can represent; others are moved to these bounds. */
const TIMES = { minMs: Date.parse('0001-01-01T00:00:00Z'), maxMs: Date.parse('9999-12-31T23:59:59.999Z') }
/** The gateway rejects longer ids. */
const ID_LENGTH_MAX = 512

interface ListFields {
  readonly from?: Date | undefined
  readonly to?: Date | undefined
  readonly limit: number
}

/** `position` is the cursor without its binding. @throws INVALID_TIME_RANGE, INVALID_LIMIT or INVALID_CURSOR. */
export function parseListQuery({ from, to, limit }: ListFields, position: string): ListQuery {
  const fromMs = toMs(from)
  const endMs = toMs(to)
  if (fromMs !== null && endMs !== null && endMs <= fromMs) {
    throw errors.INVALID_TIME_RANGE({
      message: `the range ends at ${new Date(endMs).toISOString()}, which is not after its start at ${new Date(fromMs).toISOString()}`,
    })
  }
  const place = decodePosition(position, isListPosition)
  return {
    fromMs,
    toMs: endMs,
    after: place === null ? null : { timeUs: place[0], id: place[1] },
    limit: parseLimit(limit, QUERY_LIMITS.listPage),
  }
}

/** The position after a row. */
export function positionAfter({ timeUs, id }: ListPosition): string {
  return encodePosition([timeUs, id])
}

/**
 * A text to compare a column with; null for an empty text. @throws INVALID_FILTER_VALUE for a text that PostgreSQL
 * cannot store
 */
export function filterText(text: string, field: string): string | null {
  const unstorable = findUnstorable(text)
  if (unstorable !== null) {
    const { reason, position } = unstorable
    throw filterErrors.INVALID_FILTER_VALUE({
      message: `${field} is not valid: ${reason}`,
      details: { field, position },
    })
  }
  return text === '' ? null : text
}

function toMs(time: Date | undefined): number | null {
  return time === undefined ? null : Math.min(TIMES.maxMs, Math.max(TIMES.minMs, time.getTime()))
}

function isListPosition(values: readonly CursorValue[]): values is readonly [number, string] {
  const [timeUs, id, ...others] = values
  return (
    others.length === 0 &&
    Number.isSafeInteger(timeUs) &&
    typeof id === 'string' &&
    id.length <= ID_LENGTH_MAX &&
    findUnstorable(id) === null
  )
}
