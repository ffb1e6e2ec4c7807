import { findUnstorable, type ListEventsRequest, QUERY_LIMITS } from '@millrace/contracts'
import { type CursorValue, decodePosition, encodePosition } from '@millrace/pagination'
import { filterErrors } from '@millrace/query-filters'
import { errors } from '../errors.js'
import { type Filter, parseFilters } from '../query/filter.js'
import { parseLimit } from '../query/parse-cell-query.js'

/** The position of an event in the list, which is ordered by these three, newest first. */
export interface EventPosition {
  readonly timestampUs: number
  readonly partition: number
  readonly position: string
}

/** Null for conditions that the request does not have. */
export interface EventsQuery {
  readonly event: string | null
  readonly userId: string | null
  readonly messageId: string | null
  /** All must match. */
  readonly filters: readonly Filter[]
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly after: EventPosition | null
  readonly limit: number
}

/**
 * `position` is the cursor without its binding. @throws INVALID_TIME_RANGE, INVALID_LIMIT, INVALID_CURSOR,
 * INVALID_FILTER_VALUE, and what parseFilters throws.
 */
export function parseEventsQuery(request: ListEventsRequest, position: string): EventsQuery {
  const fromMs = request.from?.getTime() ?? null
  const toMs = request.to?.getTime() ?? null
  if (fromMs !== null && toMs !== null && toMs <= fromMs) {
    throw errors.INVALID_TIME_RANGE({
      message: `the range ends at ${new Date(toMs).toISOString()}, which is not after its start at ${new Date(fromMs).toISOString()}`,
    })
  }
  return {
    event: optionalText(request.event, 'event'),
    userId: optionalText(request.userId, 'user_id'),
    messageId: optionalText(request.messageId, 'message_id'),
    filters: parseFilters(request.filters),
    fromMs,
    toMs,
    after: decodeEventPosition(position),
    limit: parseLimit(request.limit, QUERY_LIMITS.listPage),
  }
}

function optionalText(text: string, field: string): string | null {
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

export function encodeEventPosition({ timestampUs, partition, position }: EventPosition): string {
  return encodePosition([timestampUs, partition, position])
}

function decodeEventPosition(text: string): EventPosition | null {
  const values = decodePosition(text, isEventPosition)
  return values && { timestampUs: values[0], partition: values[1], position: values[2] }
}

function isEventPosition(values: readonly CursorValue[]): values is readonly [number, number, string] {
  const [timestampUs, partition, position, ...others] = values
  return (
    others.length === 0 &&
    Number.isSafeInteger(timestampUs) &&
    Number.isInteger(partition) &&
    (partition as number) >= 0 &&
    (partition as number) < 32_768 &&
    typeof position === 'string' &&
    /^\d{1,18}$/.test(position)
  )
}
