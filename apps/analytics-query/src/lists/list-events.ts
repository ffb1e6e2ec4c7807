import { DAY_MS, SECOND_MS } from '@millrace/contracts'
import type { Transaction } from '@millrace/database'
import { BoundedPage, fillPage } from '@millrace/pagination'
import { rowsOf } from '../sql/rows-of.js'
import { addEvents, type EventsPage, endPage } from './events-page.js'
import { type EventsQuery, encodeEventPosition } from './events-query.js'
import { type EventRow, keptDaysStatement, windowStatement } from './events-statements.js'
import { firstWindow, nextWindow, type Window } from './time-windows.js'

/** All times that an event may have. */
const ALL_TIME = { fromMs: Date.parse('0001-01-01T00:00:00Z'), toMs: Date.parse('9999-12-31T23:59:59.999Z') }
/** After a window that took longer than this, the next one is not wider. */
const SLOW_STEP_MS = 500

export interface Clocks {
  readonly nowMs: number
  readonly monotonicMs: () => number
}

/**
 * One page of events, newest first. All events of one user are read by one statement, since the index on users is in
 * the order of the page. Otherwise the list is read backwards in windows of time that grow while they find little, so
 * that a page reads about as much as it shows, however large the table is. If few events match, the page ends after 5
 * s: it is short or even empty, and its cursor continues where reading stopped.
 */
export async function listEvents(
  tx: Transaction,
  tenantId: number,
  query: EventsQuery,
  { nowMs, monotonicMs }: Clocks,
): Promise<EventsPage> {
  const isFiltered = query.event !== null || query.messageId !== null || query.filters.length > 0
  const isWholeUser = query.userId !== null && !isFiltered
  const kept = isWholeUser ? ALL_TIME : await readKeptDays(tx)
  if (kept === null) return { eventsJson: [], nextCursor: '' }
  const bounds = {
    fromMs: Math.max(query.fromMs ?? kept.fromMs, kept.fromMs),
    toMs: Math.min(
      query.toMs ?? kept.toMs,
      kept.toMs,
      query.after === null ? kept.toMs : Math.floor(query.after.timestampUs / 1000) + 1,
    ),
  }
  const page = new BoundedPage<EventRow>(query.limit)
  const widthMs = isWholeUser ? Number.POSITIVE_INFINITY : query.userId === null ? SECOND_MS : 7 * DAY_MS
  const first = firstWindow(bounds, { nowMs, widthMs })
  if (first === null) return endPage(page)
  const read = async (window: Window): Promise<Window | null> => {
    const stepAt = monotonicMs()
    const statement = windowStatement({ tenantId, query, window, limit: page.missing + 1, bytes: page.bytesLeft })
    const [found] = isWholeUser ? await tx.finish([statement]) : await tx.pipeline([statement])
    const rows = rowsOf<EventRow>(found)
    addEvents(page, rows)
    const isSlow = monotonicMs() - stepAt > SLOW_STEP_MS
    return nextWindow(window, bounds, { foundInLast: rows.length, missing: page.missing + 1, isSlow })
  }
  const unread = await fillPage(page, { first, read, monotonicMs })
  return unread === null ? endPage(page) : { eventsJson: [...page.texts], nextCursor: positionBefore(unread.toMs) }
}

/** The position before all events at or after an instant. */
function positionBefore(timeMs: number): string {
  return encodeEventPosition({ timestampUs: timeMs * 1000, partition: 0, position: '0' })
}

/** From the start of the first day partition to the end of the last one; null when there is none. */
async function readKeptDays(tx: Transaction): Promise<{ fromMs: number; toMs: number } | null> {
  const { rows } = await tx.query<{ first: string | null; last: string | null }>(keptDaysStatement)
  const [first, last] = [rows[0]?.first ?? null, rows[0]?.last ?? null]
  return first === null || last === null ? null : { fromMs: dayOf(first), toMs: dayOf(last) + DAY_MS }
}

function dayOf(partitionName: string): number {
  const [, year, month, day] = /(\d{4})(\d{2})(\d{2})$/.exec(partitionName) ?? []
  return Date.UTC(Number(year), Number(month) - 1, Number(day))
}
