import type { BoundedPage } from '../query/bounded-page.js'
import { encodeCursor } from '../query/cursor.js'
import { toEventJson } from './event-json.js'
import type { EventRow } from './events-statements.js'

export interface EventsPage {
  readonly eventsJson: string[]
  readonly nextCursor: string
}

/** Rows that follow those added before, in order. */
export function addEvents(page: BoundedPage<EventRow>, rows: readonly EventRow[]): void {
  for (const row of rows) {
    page.add(toEventJson(row), row)
    if (page.isFull) return
  }
  if (rows.at(-1)?.has_next === true) page.end()
}

/** The whole walk was gone. */
export function endPage(page: BoundedPage<EventRow>): EventsPage {
  const { last } = page
  const place = last && {
    timestampUs: Number(last.timestamp_us),
    partition: last.partition,
    position: String(last.position),
  }
  return { eventsJson: page.texts, nextCursor: page.isFull && place !== null ? encodeCursor(place) : '' }
}
