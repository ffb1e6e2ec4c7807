import { findUnstorable, type ListEventsRequest } from '@millrace/contracts'
import { errors } from '../errors.js'
import { decodeCursor } from '../query/cursor.js'
import { type Filter, parseFilters } from '../query/filter.js'
import { parseLimit } from '../query/parse-cell-query.js'

/** The place of an event in the order of the list: newest first. */
export interface EventPlace {
  readonly timestampUs: number
  readonly partition: number
  readonly position: string
}

/** null: not asked for. */
export interface EventsQuery {
  readonly event: string | null
  readonly userId: string | null
  readonly messageId: string | null
  /** All must hold. */
  readonly filters: readonly Filter[]
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly after: EventPlace | null
  readonly limit: number
}

const LIMITS = { default: 100, max: 1000 }

/** @throws INVALID_TIME_RANGE, INVALID_LIMIT, INVALID_CURSOR, INVALID_FILTER_VALUE, and what parseFilters throws. */
export function parseEventsQuery(request: ListEventsRequest): EventsQuery {
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
    after: decodeCursor(request.cursor, isEventPlace),
    limit: parseLimit(request.limit, LIMITS),
  }
}

function optionalText(text: string, field: string): string | null {
  const unstorable = findUnstorable(text)
  if (unstorable !== null) {
    const { reason, position } = unstorable
    throw errors.INVALID_FILTER_VALUE({ message: `${field} is not valid: ${reason}`, details: { field, position } })
  }
  return text === '' ? null : text
}

function isEventPlace(content: unknown): content is EventPlace {
  if (typeof content !== 'object' || content === null) return false
  const { timestampUs, partition, position } = content as Record<string, unknown>
  return (
    Number.isSafeInteger(timestampUs) &&
    Number.isInteger(partition) &&
    (partition as number) >= 0 &&
    (partition as number) < 32_768 &&
    typeof position === 'string' &&
    /^\d{1,18}$/.test(position)
  )
}
